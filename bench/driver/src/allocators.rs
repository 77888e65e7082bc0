//! The rows of the tables: a runner and its environment.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::path::Path;

/// The runner of the heap that all others are compared with.
pub(crate) const OURS: &str = "stratalloc";

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Row {
    /// Its name in the tables.
    pub(crate) name: String,
    /// The program `runner-…` that it starts.
    pub(crate) runner: String,
    /// What is set in the program's otherwise empty environment.
    #[serde(with = "in_order")]
    pub(crate) environment: Vec<(String, String)>,
}

impl Row {
    /// Whether this is our heap, under whatever settings, and not a peer.
    pub(crate) fn is_ours(&self) -> bool {
        self.runner == OURS
    }

    /// The program's path.
    pub(crate) fn program(&self, runners: &Path) -> std::path::PathBuf {
        runners.join(format!("runner-{}", self.runner))
    }

    /// Parses `NAME=BASE[,KEY=VALUE]…`: a row like the row `BASE`, with more environment.
    pub(crate) fn variant(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not NAME=ROW[,KEY=VALUE]…");
        let (name, rest) = text.split_once('=').ok_or_else(wrong)?;
        let mut parts = rest.split(',');
        let base = parts.next().unwrap_or_default();
        let mut row = known().into_iter().find(|row| row.name == base).ok_or_else(wrong)?;
        row.name = name.to_owned();
        for part in parts {
            let (key, value) = part.split_once('=').ok_or_else(wrong)?;
            // A comma cannot be written in a variant, but `STRATALLOC_CONF` separates its knobs by commas.
            row.environment.push((key.to_owned(), value.replace(';', ",")));
        }
        Ok(row)
    }
}

/// An object in JSON, which keeps the order of its keys.
mod in_order {
    use super::{Map, Value};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(pairs: &[(String, String)], out: S) -> Result<S::Ok, S::Error> {
        let object: Map<String, Value> =
            pairs.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect();
        object.serialize(out)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        input: D,
    ) -> Result<Vec<(String, String)>, D::Error> {
        let object = Map::deserialize(input)?;
        let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Ok(object.into_iter().map(|(key, value)| (key, text(value))).collect())
    }
}

/// Settings of a row that is always there.
type Environment = &'static [(&'static str, &'static str)];

/// All rows, ours first. mimalloc appears with and without huge pages, because on machines where huge pages are given on
/// request its memory depends on that one setting more than on anything else.
pub(crate) fn known() -> Vec<Row> {
    const NO_THP: Environment = &[("MIMALLOC_ALLOW_THP", "0")];
    let rows: [(&str, &str, Environment); 11] = [
        (OURS, OURS, &[]),
        ("mimalloc3", "mimalloc3", &[]),
        ("mimalloc3-nothp", "mimalloc3", NO_THP),
        ("mimalloc2", "mimalloc2", &[]),
        ("mimalloc2-nothp", "mimalloc2", NO_THP),
        ("snmalloc", "snmalloc", &[]),
        ("jemalloc", "jemalloc", &[]),
        ("rpmalloc", "rpmalloc", &[]),
        ("tcmalloc", "tcmalloc", &[]),
        ("dlmalloc", "dlmalloc", &[]),
        ("system", "system", &[]),
    ];
    let owned = |&(key, value): &(&str, &str)| (key.to_owned(), value.to_owned());
    rows.into_iter()
        .map(|(name, runner, environment)| Row {
            name: name.to_owned(),
            runner: runner.to_owned(),
            environment: environment.iter().map(owned).collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variant_inherits_its_row_and_adds_environment() {
        let row = Row::variant("mi=mimalloc3-nothp,A=1,B=x:1;y:2").expect("well formed");
        assert_eq!((row.name.as_str(), row.runner.as_str()), ("mi", "mimalloc3"));
        let pairs: Vec<_> = row.environment.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(pairs, [("MIMALLOC_ALLOW_THP", "0"), ("A", "1"), ("B", "x:1,y:2")]);
    }

    #[test]
    fn a_variant_of_an_unknown_row_is_refused() {
        assert!(Row::variant("x=nothing").is_err());
        assert!(Row::variant("x").is_err());
        assert!(Row::variant("x=system,novalue").is_err());
    }
}
