//! The command line: parsed as written, then resolved against what there is.

use crate::allocators::{self, Row};
use crate::machine;
use bench_workloads::{WORKLOADS, Workload};
use std::env;
use std::path::{Path, PathBuf};

pub(crate) const USAGE: &str = "\
usage: stratalloc-bench [OPTIONS]

  --rounds N            rounds, each running everything once (default 5)
  --workloads A,B       only workloads whose names begin so
  --allocators A,B      only these rows
  --variant NAME=ROW[,KEY=VALUE]…   one more row: ROW with more environment (`;` in a value stands for `,`)
  --threads 1,2,4       only these thread counts
  --scale N             thousandths of the full work (default 1000)
  --timeout SECONDS     after which one run is ended (default 120)
  --quick               one round of a hundredth of the work on 1 and 2 threads, nothing written unless --out is given
  --out DIR             where the record goes (default runs/<date>-<machine>)
  --no-record           write nothing
  --no-toolkit          leave the toolkit's figures out of the record
  --page RECORD         write README.md and index.html beside this record.json (or the one in this folder) again, and stop;
                        the JSON of `stratalloc compare` and `bench` becomes a page of the same name
  --list                name workloads and rows, and stop
  --help                this text";

/// The command line as written.
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    rounds: Option<usize>,
    workloads: Option<Vec<String>>,
    allocators: Option<Vec<String>>,
    variants: Vec<Row>,
    threads: Option<Vec<usize>>,
    scale: Option<u64>,
    timeout: Option<u64>,
    quick: bool,
    out: Option<PathBuf>,
    no_record: bool,
    no_toolkit: bool,
    pub(crate) page: Option<PathBuf>,
    list: bool,
    help: bool,
}

/// One column of work: a workload on a number of threads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    pub(crate) workload: &'static Workload,
    pub(crate) threads: usize,
}

/// What to do.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) rounds: usize,
    pub(crate) cells: Vec<Cell>,
    pub(crate) rows: Vec<Row>,
    pub(crate) scale: u64,
    pub(crate) timeout: u64,
    pub(crate) warm_mebibytes: usize,
    pub(crate) quick: bool,
    pub(crate) out: Option<PathBuf>,
    /// Whether the toolkit's figures join the record.
    pub(crate) toolkit: bool,
    /// Where the runners and the launcher are: beside this program.
    pub(crate) runners: PathBuf,
    /// The bench's own folder, for the lock file and the records.
    pub(crate) bench: PathBuf,
}

impl Arguments {
    pub(crate) fn parse(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Self::default();
        let mut words = words;
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--rounds" => arguments.rounds = Some(number(&value()?)?),
                "--workloads" => arguments.workloads = Some(list(&value()?)),
                "--allocators" => arguments.allocators = Some(list(&value()?)),
                "--variant" => arguments.variants.push(Row::variant(&value()?)?),
                "--threads" => {
                    arguments.threads =
                        Some(list(&value()?).iter().map(|text| number(text)).collect::<Result<_, _>>()?);
                }
                "--scale" => arguments.scale = Some(number(&value()?)? as u64),
                "--timeout" => arguments.timeout = Some(number(&value()?)? as u64),
                "--out" => arguments.out = Some(value()?.into()),
                "--quick" => arguments.quick = true,
                "--no-record" => arguments.no_record = true,
                "--no-toolkit" => arguments.no_toolkit = true,
                "--page" => arguments.page = Some(value()?.into()),
                "--list" => arguments.list = true,
                "--help" | "-h" => arguments.help = true,
                other => return Err(format!("unknown argument `{other}`")),
            }
        }
        Ok(arguments)
    }

    /// `None` when the arguments asked for a text only, which has been printed.
    pub(crate) fn resolve(self) -> Result<Option<Resolved>, String> {
        if self.help {
            println!("{USAGE}");
            return Ok(None);
        }
        if self.list {
            print_list();
            return Ok(None);
        }
        let this = env::current_exe().map_err(|error| error.to_string())?;
        let runners = this.parent().unwrap_or(Path::new(".")).to_path_buf();
        let bench = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_path_buf();
        let rows = self.rows(&runners)?;
        let cells = self.cells()?;
        let out = match self.out {
            Some(directory) => Some(directory),
            None if self.quick || self.no_record => None,
            None => Some(bench.join("runs").join(machine::run_name())),
        };
        let quick = self.quick;
        Ok(Some(Resolved {
            rounds: self.rounds.unwrap_or(if quick { 1 } else { 5 }),
            cells,
            rows,
            scale: self.scale.unwrap_or(if quick { 10 } else { 1000 }),
            timeout: self.timeout.unwrap_or(120),
            warm_mebibytes: if quick { 0 } else { 1024 },
            quick,
            out,
            toolkit: !self.no_toolkit,
            runners,
            bench,
        }))
    }

    fn rows(&self, runners: &Path) -> Result<Vec<Row>, String> {
        let mut rows = allocators::known();
        if let Some(wanted) = &self.allocators {
            if let Some(unknown) = wanted.iter().find(|name| !rows.iter().any(|row| row.name == **name)) {
                return Err(format!("unknown allocator `{unknown}`"));
            }
            rows.retain(|row| wanted.contains(&row.name));
        }
        // Variants stand after ours, where they are looked for.
        let at = rows.iter().take_while(|row| row.is_ours()).count();
        rows.splice(at..at, self.variants.iter().cloned());
        let asked = self.allocators.is_some();
        let mut missing = Vec::new();
        rows.retain(|row| {
            let there = row.program(runners).exists();
            if !there {
                missing.push(row.name.clone());
            }
            there
        });
        if !missing.is_empty() && asked {
            return Err(format!("not built: {}", missing.join(", ")));
        }
        if !missing.is_empty() {
            eprintln!("left out, not built: {}", missing.join(", "));
        }
        if rows.is_empty() {
            return Err(format!("no runner in {}", runners.display()));
        }
        Ok(rows)
    }

    fn cells(&self) -> Result<Vec<Cell>, String> {
        let wanted = |workload: &Workload| {
            self.workloads
                .as_ref()
                .is_none_or(|names| names.iter().any(|name| workload.name.starts_with(name.as_str())))
        };
        let quick_threads = [1, 2];
        let threads = self.threads.as_deref().or(self.quick.then_some(&quick_threads[..]));
        let cells: Vec<Cell> = WORKLOADS
            .iter()
            .filter(|workload| wanted(workload))
            .flat_map(|workload| workload.threads.iter().map(move |&threads| Cell { workload, threads }))
            .filter(|cell| threads.is_none_or(|wanted| wanted.contains(&cell.threads)))
            .collect();
        if cells.is_empty() { Err("no workload is left".to_owned()) } else { Ok(cells) }
    }
}

fn print_list() {
    for workload in WORKLOADS {
        println!("{:18} {:10} {}", workload.name, format!("{:?}", workload.threads), workload.models);
    }
    println!();
    for row in allocators::known() {
        println!("{:18} {:?}", row.name, row.environment);
    }
}

fn number(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&number| number > 0).ok_or_else(|| format!("`{text}` is not a positive number"))
}

fn list(text: &str) -> Vec<String> {
    text.split(',').filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Arguments, String> {
        Arguments::parse(words.iter().map(|&word| word.to_owned()))
    }

    #[test]
    fn cells_follow_the_chosen_workloads_and_threads() {
        let cells = parse(&["--workloads", "pairs,producer", "--threads", "2"])
            .and_then(|a| a.cells())
            .expect("some");
        let names: Vec<_> = cells.iter().map(|cell| (cell.workload.name, cell.threads)).collect();
        assert_eq!(names, [("pairs-32", 2), ("pairs-256", 2), ("pairs-2k", 2), ("producer-consumer", 2)]);
    }

    #[test]
    fn wrong_words_are_refused() {
        for words in
            [&["--rounds", "0"][..], &["--rounds"], &["--what"], &["--variant", "x"], &["--threads", "1,x"]]
        {
            assert!(parse(words).is_err(), "{words:?}");
        }
    }
}
