//! Searches the memory of a running daemon for the private keys that were put before it. For `tests/system/memory.test`: only
//! root can read what is not dumpable.
//!
//! ```text
//! memory plant DIRECTORY CERTIFICATE    puts a file of each key there, in every container, and prints how many
//! memory search PID CERTIFICATE         prints in which form a key is there, or `nothing`
//! memory find PID CERTIFICATE           the same for the certificate itself, to show that the search would find
//! ```

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "what fails here fails the test that runs it"
)]

#[path = "../keys/mod.rs"]
mod keys;
#[path = "../it/traces.rs"]
mod traces;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use base64ct::{Base64, Encoding as _};

use keys::every_hiding_place;
use traces::{PIECE, Traces};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [verb, target, certificate] = arguments.as_slice() else {
        panic!(
            "usage: memory plant DIRECTORY CERTIFICATE | search PID CERTIFICATE | find PID CERTIFICATE"
        );
    };
    let pem = fs::read(certificate).unwrap();
    let keys = every_hiding_place(&pem);
    match verb.as_str() {
        "plant" => {
            for (number, key) in keys.iter().enumerate() {
                let hidden = Path::new(target).join(".planted");
                fs::write(&hidden, &key.bytes).unwrap();
                fs::rename(hidden, Path::new(target).join(format!("{number:03}.pem"))).unwrap();
            }
            println!("{}", keys.len());
        }
        "search" => {
            let secrets = keys.iter().flat_map(|it| &it.secrets).map(Vec::as_slice);
            tell(&Traces::of(secrets), target);
        }
        "find" => {
            let text = String::from_utf8(pem).unwrap();
            let armour = |it: &&str| !it.starts_with("-----");
            let body: String = text.lines().filter(armour).collect();
            tell(
                &Traces::of([Base64::decode_vec(&body).unwrap().as_slice()]),
                target,
            );
        }
        other => panic!("there is no {other}"),
    }
}

fn tell(traces: &Traces, process: &str) {
    let form = form_in_memory(traces, process).unwrap();
    println!("{}", form.unwrap_or("nothing"));
}

/// How much of a process's memory is searched in one go.
const CHUNK: usize = 1 << 20;

/// The form in which a piece is anywhere in the memory of a process, what it freed and has not used again included.
fn form_in_memory(traces: &Traces, process: &str) -> io::Result<Option<&'static str>> {
    const PAGE: usize = 4096;
    let memory = File::open(format!("/proc/{process}/mem"))?;
    let mut buffer = vec![0; CHUNK + PIECE * 8];
    for (start, end) in writable_regions(process)? {
        let mut at = start;
        while at < end {
            let length = usize::try_from(end - at).unwrap_or(usize::MAX);
            let length = length.min(CHUNK + PIECE * 8);
            // A region may go while it is read.
            let part = buffer.get_mut(..length);
            let Some(Ok(count @ 1..)) = part.map(|it| memory.read_at(it, at)) else {
                break;
            };
            // Most pages were never touched.
            let used: Vec<u8> = buffer
                .iter()
                .take(count)
                .copied()
                .collect::<Vec<_>>()
                .chunks(PAGE)
                .filter(|it| it.iter().any(|byte| *byte != 0))
                .flatten()
                .copied()
                .collect();
            if let Some(form) = traces.form_in(&used) {
                return Ok(Some(form));
            }
            at += u64::try_from(count.min(CHUNK)).unwrap();
        }
    }
    Ok(None)
}

fn writable_regions(process: &str) -> io::Result<Vec<(u64, u64)>> {
    let maps = fs::read_to_string(format!("/proc/{process}/maps"))?;
    let region = |line: &str| {
        let (range, rest) = line.split_once(' ')?;
        let (start, end) = range.split_once('-')?;
        let number = |it| u64::from_str_radix(it, 16).ok();
        rest.starts_with("rw")
            .then_some((number(start)?, number(end)?))
    };
    Ok(maps.lines().filter_map(region).collect())
}
