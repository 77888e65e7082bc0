//! The code blocks of a documentation text.

/// The examples of a documentation text that run when they are tested: what a reader sees of them, without hidden lines.
pub(super) fn examples(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(tags) = line.trim_start().strip_prefix("```") else { continue };
        let block: Vec<&str> =
            lines.by_ref().take_while(|line| !line.trim_start().starts_with("```")).collect();
        if tags.split(',').all(runs) {
            found.push(block.into_iter().filter(|line| !is_hidden(line)).collect::<Vec<_>>().join("\n"));
        }
    }
    found
}

/// Whether a block with this tag is Rust, compiled, and run.
fn runs(tag: &str) -> bool {
    let tag = tag.trim();
    tag.is_empty() || tag == "rust" || tag == "should_panic" || tag.starts_with("edition")
}

fn is_hidden(line: &str) -> bool {
    let line = line.trim_start();
    line == "#" || line.starts_with("# ")
}

/// Whether `name` stands in `code` as a word.
pub(super) fn names(code: &str, name: &str) -> bool {
    code.split(|letter: char| !letter.is_alphanumeric() && letter != '_').any(|word| word == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_runs_is_an_example() {
        for tags in ["", "rust", "should_panic", "edition2024"] {
            assert_eq!(examples(&format!("A.\n```{tags}\na();\n# b();\n```\nB")), ["a();"], "{tags}");
        }
        for tags in ["text", "ignore", "compile_fail,E0277", "no_run", "sh"] {
            assert_eq!(examples(&format!("A.\n\n```{tags}\na();\n```")), [""; 0], "{tags}");
        }
        assert_eq!(examples("```text\na\n```\n\n```\nb\n```"), ["b"]);
    }

    #[test]
    fn attributes_are_not_hidden_lines() {
        assert_eq!(examples("```\n#[inline]\n#\nfn a() {}\n```"), ["#[inline]\nfn a() {}"]);
    }

    #[test]
    fn names_are_words() {
        assert!(names("pool.live()", "live"));
        assert!(!names("pool.is_live_now()", "live"));
    }
}
