//! Where a readable report goes, and how files for reports are made.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use stratalloc_measure::text::Style;

use crate::args::Color;
use crate::failure::Failure;

/// A stream and how text on it is marked.
pub(crate) struct Destination {
    stream: Box<dyn Write>,
    /// How text is marked.
    pub(crate) style: Style,
}

impl Destination {
    /// The file, or standard error: standard output belongs to the program that is run.
    pub(crate) fn beside_a_program(file: Option<&Path>, color: Color) -> Result<Destination, Failure> {
        match file {
            Some(path) => Destination::file(path, color),
            None => {
                let style = color.style(&io::stderr());
                Ok(Destination { stream: Box::new(io::stderr()), style })
            }
        }
    }

    /// The file, or standard output.
    pub(crate) fn of_our_own(file: Option<&Path>, color: Color) -> Result<Destination, Failure> {
        match file {
            Some(path) => Destination::file(path, color),
            None => {
                let style = color.style(&io::stdout());
                Ok(Destination { stream: Box::new(io::stdout()), style })
            }
        }
    }

    fn file(path: &Path, color: Color) -> Result<Destination, Failure> {
        let file = create(path)?;
        let style = color.style(&file);
        Ok(Destination { stream: Box::new(file), style })
    }

    /// Writes it all at once, so that it stays in one piece among what others write to the same terminal or file.
    pub(crate) fn deliver(
        mut self,
        what: impl FnOnce(&mut dyn Write, Style) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut text = Vec::new();
        what(&mut text, self.style)?;
        self.stream.write_all(&text)
    }
}

/// A file for what is reported; made before anything runs, so that a wrong path costs nothing.
pub(crate) fn create(path: &Path) -> Result<File, Failure> {
    File::create(path).map_err(|error| Failure::own(format_args!("cannot write {}", path.display()), error))
}

/// Says that a report could not be written. The programs have run: the status stays what it is.
pub(crate) fn complain(what: &str, error: &io::Error) {
    let _ = writeln!(io::stderr(), "stratalloc: cannot write the {what}: {error}");
}
