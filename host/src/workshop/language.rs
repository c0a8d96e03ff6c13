use super::Fault;
use std::fmt;
use std::path::Path;

/// A language that handlers are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Language {
    Rust,
    C,
    Cpp,
    Zig,
    Javascript,
    Typescript,
    Python,
    Go,
}

impl Language {
    pub(crate) const ALL: [Language; 8] = [
        Language::Rust,
        Language::C,
        Language::Cpp,
        Language::Zig,
        Language::Javascript,
        Language::Typescript,
        Language::Python,
        Language::Go,
    ];

    /// As it is written on the command line, which is also its folder among the examples.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Language::Rust => "rust",
            Language::C => "c",
            Language::Cpp => "cpp",
            Language::Zig => "zig",
            Language::Javascript => "javascript",
            Language::Typescript => "typescript",
            Language::Python => "python",
            Language::Go => "go",
        }
    }

    /// The file by which a handler's folder is known to be in this language.
    pub(crate) fn marker(self) -> &'static str {
        match self {
            Language::Rust => "Cargo.toml",
            Language::C => "main.c",
            Language::Cpp => "main.cpp",
            Language::Zig => "main.zig",
            Language::Javascript => "handler.js",
            Language::Typescript => "handler.ts",
            Language::Python => "main.py",
            Language::Go => "go.mod",
        }
    }

    /// The language of a handler's folder; `None` where it holds no source that we know.
    pub(crate) fn of(folder: &Path) -> Result<Option<Language>, Fault> {
        // Beside TypeScript, JavaScript is what a compiler has left.
        let is_emitted = folder.join(Language::Typescript.marker()).is_file();
        let mut found = Self::ALL
            .into_iter()
            .filter(|language| folder.join(language.marker()).is_file())
            .filter(|language| !(is_emitted && *language == Language::Javascript));
        let (first, second) = (found.next(), found.next());
        match (first, second) {
            (Some(one), Some(other)) => Err(Fault::BadFolder(format!(
                "{} holds both {} and {}: which is the handler? Move the other one out; for one build, --lang says it",
                folder.display(),
                one.marker(),
                other.marker()
            ))),
            (only, _) => Ok(only),
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn each_language_is_listed_under_its_name() {
        for (variant, language) in Language::value_variants().iter().zip(Language::ALL) {
            assert_eq!(*variant, language);
            assert_eq!(variant.to_possible_value().unwrap().get_name(), language.name());
        }
        assert_eq!(Language::value_variants().len(), Language::ALL.len());
    }
}
