//! Refusals as people read them: what, where, which rule, and what to type.

use std::path::Path;

use crate::domain::Refusal;
use crate::domain::text::printable_path;

/// The lines of help, with the file's path where they say `FILE`.
pub(crate) fn help_lines(refusal: &Refusal, path: &Path) -> Vec<String> {
    let word = shell_word(path);
    refusal
        .help
        .iter()
        .map(|it| it.replace("FILE", &word))
        .collect()
}

/// A path as one word of a shell command.
pub(crate) fn shell_word(path: &Path) -> String {
    let text = printable_path(path);
    let is_plain = |it: char| it.is_alphanumeric() || "/._+-,:@%".contains(it);
    let starts_plain = !text.is_empty() && !text.starts_with('-');
    if starts_plain && text.chars().all(is_plain) {
        text
    } else {
        let quoted = text.replace('\'', "'\\''");
        let safe = if text.starts_with('-') { "./" } else { "" };
        format!("'{safe}{quoted}'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Reason;

    #[test]
    fn a_file_name_never_becomes_a_second_command() {
        let cases = [
            ("/etc/a.pem", "/etc/a.pem"),
            ("/etc/a b.pem", "'/etc/a b.pem'"),
            ("a'; rm -r x", "'a'\\''; rm -r x'"),
            ("-rf", "'./-rf'"),
            ("$(x)", "'$(x)'"),
        ];
        for (path, word) in cases {
            assert_eq!(shell_word(Path::new(path)), word);
        }
    }

    #[test]
    fn the_path_stands_where_help_says_file() {
        let refusal = Refusal::new(Reason::Unreadable, "permission denied").help("chmod 644 FILE");
        assert_eq!(
            help_lines(&refusal, Path::new("/etc/a.pem")),
            ["chmod 644 /etc/a.pem"]
        );
    }
}
