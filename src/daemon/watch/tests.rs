//! Real directories and the real watcher; only the waiting is bounded.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::timeout;

use super::*;

fn watch() -> Watch {
    Watch::new(Arc::new(Metrics::new().unwrap()))
}

/// A directory, and the paths `a` and `b` of which each is yet to be made.
fn place() -> (TempDir, PathBuf, PathBuf) {
    let place = TempDir::new().unwrap();
    let (a, b) = (place.path().join("a"), place.path().join("b"));
    (place, a, b)
}

async fn is_hinted(route: &Route) {
    timeout(Duration::from_secs(20), route.hinted())
        .await
        .expect("a hint");
}

/// Stands anew until it stands since before. What came until then is heard.
async fn settle(watch: &Watch, route: &Route) {
    let all = async {
        while watch.stand(route) != Ok(Stand::Before) {
            route.hinted().await;
        }
    };
    timeout(Duration::from_secs(20), all)
        .await
        .expect("it stands");
}

#[track_caller]
fn assert_restarts(watch: &Watch, expected: &str) {
    let text = watch.inner.metrics.render(Vec::new());
    let line = format!("sso_certd_watch_restarts_total {expected}\n");
    assert!(text.contains(&line), "{text}");
}

#[tokio::test]
async fn two_sources_of_one_directory_are_both_hinted() {
    let (_place, a, _) = place();
    fs::create_dir(&a).unwrap();
    let watch = watch();
    let (one, other) = (watch.route(&a), watch.route(&a));
    assert_eq!(watch.stand(&one), Ok(Stand::Fresh));
    assert_eq!(watch.stand(&other), Ok(Stand::Fresh));
    assert_eq!(watch.stand(&one), Ok(Stand::Before));
    fs::write(a.join("x.pem"), "x").unwrap();
    is_hinted(&one).await;
    is_hinted(&other).await;
}

#[tokio::test]
async fn two_paths_to_one_directory_are_both_hinted_and_one_may_leave() {
    let (place, a, b) = place();
    fs::create_dir(&a).unwrap();
    symlink(&a, &b).unwrap();
    let watch = watch();
    let (by_name, by_link) = (watch.route(&a), watch.route(&b));
    // The link comes last and leaves first; or the other way round.
    for is_link_first in [false, true] {
        let mut order = [&by_name, &by_link];
        if is_link_first {
            order.reverse();
        }
        for route in order {
            watch.stand(route).unwrap();
        }
        fs::write(a.join("x.pem"), "x").unwrap();
        is_hinted(&by_name).await;
        is_hinted(&by_link).await;

        let elsewhere = place.path().join("elsewhere");
        fs::create_dir_all(&elsewhere).unwrap();
        fs::remove_file(&b).unwrap();
        symlink(&elsewhere, &b).unwrap();
        assert_eq!(watch.stand(&by_link), Ok(Stand::Fresh));
        watch.stand(&by_name).unwrap();
        settle(&watch, &by_name).await;
        fs::write(a.join("y.pem"), "y").unwrap();
        is_hinted(&by_name).await;
        fs::write(elsewhere.join("z.pem"), "z").unwrap();
        is_hinted(&by_link).await;

        fs::remove_file(&b).unwrap();
        symlink(&a, &b).unwrap();
        watch.distrust(&by_name);
        watch.distrust(&by_link);
    }
    assert_restarts(&watch, "0");
}

#[tokio::test]
async fn a_directory_that_is_swapped_is_told_and_its_successor_watched() {
    let (place, a, b) = place();
    let watch = watch();
    let route = watch.route(&a);
    fs::create_dir(&a).unwrap();
    watch.stand(&route).unwrap();
    for number in 0..3 {
        fs::create_dir(&b).unwrap();
        fs::rename(&a, place.path().join(format!("old-{number}"))).unwrap();
        fs::rename(&b, &a).unwrap();
        is_hinted(&route).await;
        assert_eq!(watch.stand(&route), Ok(Stand::Fresh));
        settle(&watch, &route).await;
        fs::write(a.join("x.pem"), "x").unwrap();
        is_hinted(&route).await;
    }
}

#[tokio::test]
async fn below_a_directory_that_is_moved_away_and_back_nothing_stays_silent() {
    let (place, a, _) = place();
    let (below, aside) = (a.join("below"), place.path().join("aside"));
    fs::create_dir_all(&below).unwrap();
    let watch = watch();
    let (outer, inner) = (watch.route(&a), watch.route(&below));
    watch.stand(&outer).unwrap();
    watch.stand(&inner).unwrap();
    fs::rename(&a, &aside).unwrap();
    fs::rename(&aside, &a).unwrap();
    is_hinted(&inner).await;
    assert_eq!(watch.stand(&inner), Ok(Stand::Fresh));
    settle(&watch, &inner).await;
    fs::write(below.join("x.pem"), "x").unwrap();
    is_hinted(&inner).await;
}

#[tokio::test]
async fn a_watcher_that_ended_is_made_anew_and_counted() {
    let (_place, a, b) = place();
    let watch = watch();
    let routes = [&a, &b].map(|path| {
        fs::create_dir(path).unwrap();
        watch.route(path)
    });
    for route in &routes {
        watch.stand(route).unwrap();
    }
    assert_restarts(&watch, "0");
    // What the watcher says when its thread has ended; that it says so is tested with it.
    let epoch = lock(&watch.inner.table).epoch;
    assert!(lock(&watch.inner.table).hear(epoch, &Hint::Broken));
    for route in &routes {
        is_hinted(route).await;
        assert_eq!(watch.stand(route), Ok(Stand::Fresh));
    }
    assert_restarts(&watch, "1");
    for route in &routes {
        settle(&watch, route).await;
        fs::write(route.directory.join("x.pem"), "x").unwrap();
        is_hinted(route).await;
    }
    assert!(
        !lock(&watch.inner.table).hear(epoch, &Hint::Broken),
        "the old one's last word is not heard"
    );
    assert_restarts(&watch, "1");
}

#[tokio::test]
async fn a_directory_that_is_missing_is_refused_and_disturbs_nobody() {
    let (_place, a, b) = place();
    fs::create_dir(&a).unwrap();
    let watch = watch();
    let (here, missing) = (watch.route(&a), watch.route(&b));
    watch.stand(&here).unwrap();
    for _ in 0..3 {
        assert_eq!(watch.stand(&missing), Err(WatchError::Refused));
    }
    assert_eq!(watch.stand(&here), Ok(Stand::Before));
    assert_restarts(&watch, "0");
    fs::create_dir(&b).unwrap();
    assert_eq!(watch.stand(&missing), Ok(Stand::Fresh));
}

#[tokio::test]
async fn after_lost_events_everybody_stands_anew() {
    let (_place, a, b) = place();
    let watch = watch();
    let routes = [&a, &b].map(|path| {
        fs::create_dir(path).unwrap();
        watch.route(path)
    });
    for route in &routes {
        watch.stand(route).unwrap();
    }
    let epoch = lock(&watch.inner.table).epoch;
    lock(&watch.inner.table).hear(epoch, &Hint::Overflow);
    for route in &routes {
        is_hinted(route).await;
        assert_eq!(watch.stand(route), Ok(Stand::Fresh));
    }
    assert_restarts(&watch, "0");
}
