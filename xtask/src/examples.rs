//! The check of examples: whoever meets a public item in the documentation sees it at work.
//!
//! 1. Each public type, trait, function, method and constant has an example that `cargo test --doc` runs, or a paragraph
//!    that says "example", or "see", and links to an item of the same crate that has one.
//! 2. The example behind such a link shows the item: a function, a method or a constant is named in it, or the twin of
//!    which it is the fallible form (`try_`). A type need not be: Rust infers most of them.
//!
//! Fields and variants, trait implementations and modules need none. What is public is asked of rustdoc, which follows
//! re-exports and resolves links; `rustdoc --show-coverage` counts examples too, but knows no links and overlooks what is
//! re-exported from private modules.

mod code;
mod crate_docs;

use std::path::Path;

use crate::cargo;
use crate_docs::CrateDocs;

/// Whose documentation is checked: the front page and what stands behind its names.
const PACKAGES: [&str; 5] =
    ["stratalloc", "stratalloc-heap", "stratalloc-strategies", "stratalloc-modifiers", "stratalloc-resource"];

/// The tables for programs in C: what shows them is `examples/c`, which CI builds and runs.
const FOR_C: &str = "stratalloc_resource::abi::";

/// Checks the packages of the workspace at `root`; returns each item that nothing shows.
pub(crate) fn run(root: &Path) -> Result<Vec<String>, String> {
    let mut violations = Vec::new();
    for package in PACKAGES {
        let json = cargo::rustdoc_json(root, package)?;
        let docs = CrateDocs::read(&json)?;
        let (own, linked, unshown) = judge(&docs);
        println!(
            "examples: {package}: {own} items with their own, {linked} that link to one, {} without",
            unshown.len()
        );
        violations.extend(unshown);
    }
    Ok(violations)
}

/// How many items have an example, how many link to one, and what is wrong with the rest.
fn judge(docs: &CrateDocs) -> (usize, usize, Vec<String>) {
    let (mut own, mut linked, mut unshown) = (0, 0, Vec::new());
    for item in docs.public_items().iter().filter(|item| !item.path.starts_with(FOR_C)) {
        if !code::examples(item.text).is_empty() {
            own += 1;
        } else if docs.links_to_example(item) {
            linked += 1;
        } else {
            unshown.push(format!(
                "{}: {} has no example and links to none that shows it",
                item.place, item.path
            ));
        }
    }
    (own, linked, unshown)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A crate with a struct that has an example, in which `get` stands, and two methods.
    fn documented(get: &str, set: &str) -> serde_json::Value {
        let method = |name: &str, docs: &str, links: serde_json::Value| {
            serde_json::json!({
                "name": name, "docs": docs, "links": links, "visibility": "public",
                "span": { "filename": "a.rs", "begin": [7, 1] }, "inner": { "function": {} },
            })
        };
        serde_json::json!({
            "root": 0,
            "index": {
                "0": { "name": "krate", "docs": null, "links": {}, "inner": { "module": { "items": [1, 9] } } },
                "1": { "name": null, "docs": null, "links": {}, "inner": { "use": { "id": 2, "is_glob": false } } },
                "2": { "name": "Cell", "docs": "A cell.\n\n```\ncell.get();\n# cell.set();\n```", "links": {},
                       "span": { "filename": "a.rs", "begin": [3, 1] }, "inner": { "struct": { "impls": [3] } } },
                "3": { "name": null, "docs": null, "links": {},
                       "inner": { "impl": { "trait": null, "items": [4, 5] } } },
                "4": method("get", get, serde_json::json!({ "`Cell`": 2 })),
                "5": method("set", set, serde_json::json!({ "`Cell`": 2 })),
                "9": { "name": null, "docs": null, "links": {}, "inner": { "use": { "id": null, "is_glob": false } } },
            },
        })
    }

    fn judged(get: &str, set: &str) -> (usize, usize, usize) {
        let docs = documented(get, set);
        let (own, linked, unshown) = judge(&CrateDocs::read(&docs).unwrap());
        (own, linked, unshown.len())
    }

    #[test]
    fn an_example_or_a_link_to_one_that_shows_the_item() {
        let own = "Sets.\n\n```\ncell.set(1);\n```";
        assert_eq!(judged("Gets. See [`Cell`] for an example.", own), (2, 1, 0));
        assert_eq!(judged("Gets; see [`Cell`].", own), (2, 1, 0));
        assert_eq!(judged("Gets. ```text", own), (2, 0, 1), "nothing is shown");
        assert_eq!(judged("Gets from the [`Cell`].", own), (2, 0, 1), "a link that promises no example");
        assert_eq!(judged("Gets, for example.\n\nA [`Cell`].", own), (2, 0, 1), "link and promise are apart");
    }

    #[test]
    fn a_link_to_an_example_of_something_else_is_none() {
        let get = "Gets. See [`Cell`] for an example.";
        assert_eq!(judged(get, "Sets. See [`Cell`] for an example."), (1, 1, 1), "`set` is hidden there");
    }

    #[test]
    fn a_complaint_says_where() {
        let docs = documented("Gets.", "Sets.");
        let (_, _, unshown) = judge(&CrateDocs::read(&docs).unwrap());
        assert_eq!(unshown[0], "a.rs:7: krate::Cell::get has no example and links to none that shows it");
    }

    #[test]
    fn documentation_of_another_shape_is_an_error() {
        assert!(CrateDocs::read(&serde_json::json!({ "index": {} })).is_err());
    }
}
