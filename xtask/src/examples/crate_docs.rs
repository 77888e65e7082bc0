//! What the check of examples needs of rustdoc's JSON.

use serde_json::{Map, Value};

use super::code;

/// The documentation of one crate.
#[derive(Debug)]
pub(super) struct CrateDocs<'json> {
    root: String,
    index: &'json Map<String, Value>,
}

/// A public item that ought to have an example.
#[derive(Debug)]
pub(super) struct PublicItem<'json> {
    /// As a program names it.
    pub(super) path: String,
    /// File and line.
    pub(super) place: String,
    pub(super) text: &'json str,
    json: &'json Value,
}

/// Kinds of items that stand in modules and ought to have an example.
const ITEMS: [&str; 10] = [
    "struct",
    "enum",
    "union",
    "trait",
    "function",
    "constant",
    "static",
    "type_alias",
    "macro",
    "proc_macro",
];

/// Kinds of items that are used by their names: an example that does not contain the name does not show them.
const NAMED: [&str; 5] = ["function", "constant", "static", "assoc_const", "macro"];

impl<'json> CrateDocs<'json> {
    pub(super) fn read(json: &'json Value) -> Result<Self, String> {
        let root = json["root"].as_u64().ok_or("rustdoc's JSON: no root")?;
        let index = json["index"].as_object().ok_or("rustdoc's JSON: no index")?;
        Ok(Self { root: root.to_string(), index })
    }

    /// Every item of this crate that ought to have an example, once.
    pub(super) fn public_items(&self) -> Vec<PublicItem<'json>> {
        let mut found = Vec::new();
        self.visit(&self.root, "", &mut Vec::new(), &mut found);
        found.sort_by(|a, b| a.path.cmp(&b.path));
        found
    }

    fn visit(&self, id: &str, outer: &str, seen: &mut Vec<String>, found: &mut Vec<PublicItem<'json>>) {
        let Some(json) = self.index.get(id) else { return }; // of another crate
        if seen.iter().any(|one| one == id) {
            return;
        }
        seen.push(id.to_owned());
        let (kind, inner) = kind(json);
        let path = join(outer, json);
        let below: Vec<String> = match kind {
            "module" => ids(&inner["items"]),
            "use" => {
                let target: Vec<String> = id_of(&inner["id"]).into_iter().collect();
                target.iter().for_each(|id| self.visit(id, outer, seen, found));
                return;
            }
            "struct" | "enum" | "union" => ids(&inner["impls"]),
            "trait" => ids(&inner["items"]),
            "impl" if inner["trait"].is_null() => {
                ids(&inner["items"]).iter().for_each(|id| self.visit(id, outer, seen, found));
                return;
            }
            _ => Vec::new(),
        };
        if ITEMS.contains(&kind) || kind == "assoc_const" {
            found.push(PublicItem { place: place(json), path: path.clone(), text: text(json), json });
        }
        below.iter().for_each(|id| self.visit(id, &path, seen, found));
    }

    /// Whether a paragraph of the item promises an example, or just says where to look, and links to one that shows the item.
    pub(super) fn links_to_example(&self, item: &PublicItem<'_>) -> bool {
        let Some(links) = item.json["links"].as_object() else { return false };
        item.text.split("\n\n").filter(|paragraph| leads_on(paragraph)).any(|paragraph| {
            let here = links.iter().filter(|(link, _)| paragraph.contains(link.as_str()));
            here.filter_map(|(_, id)| self.index.get(&id_of(id)?)).any(|target| shows(target, item.json))
        })
    }
}

fn leads_on(paragraph: &str) -> bool {
    let paragraph = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    ["example", "see [", "See [", "see the [", "See the [", "As ["]
        .iter()
        .any(|words| paragraph.contains(words))
}

fn shows(target: &Value, item: &Value) -> bool {
    let name = item["name"].as_str().unwrap_or_default();
    let must_name = NAMED.contains(&kind(item).0);
    // A fallible twin is used as its twin is.
    let twin = name.strip_prefix("try_").unwrap_or(name);
    let named = |example: &String| code::names(example, name) || code::names(example, twin);
    code::examples(text(target)).iter().any(|example| !must_name || named(example))
}

/// An item's kind and what rustdoc says about that kind.
fn kind(json: &Value) -> (&str, &Value) {
    let inner = json["inner"].as_object().and_then(|inner| inner.iter().next());
    inner.map_or(("", &Value::Null), |(kind, inner)| (kind.as_str(), inner))
}

fn text(json: &Value) -> &str {
    json["docs"].as_str().unwrap_or_default()
}

fn place(json: &Value) -> String {
    let span = &json["span"];
    format!("{}:{}", span["filename"].as_str().unwrap_or("?"), span["begin"][0])
}

fn join(outer: &str, json: &Value) -> String {
    let name = json["name"].as_str().unwrap_or_default();
    if outer.is_empty() { name.to_owned() } else { format!("{outer}::{name}") }
}

fn id_of(value: &Value) -> Option<String> {
    value.as_u64().map(|id| id.to_string())
}

fn ids(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(id_of).collect()
}
