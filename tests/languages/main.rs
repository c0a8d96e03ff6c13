//! Handlers in every language: the same behaviours, examples and steps of a newcomer, on both stores.
//!
//! `cargo xtask test` builds the components with `flowmonkey build`. It leaves out, by name, the languages whose toolchain the
//! machine lacks.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod behaviours;
mod check;
mod examples;
mod newcomer;
mod rig;

/// Each language has the same cases. The module's name is what `--skip` takes.
macro_rules! languages {
    ($($module:ident $language:literal)*) => {
        /// In the order of the tables.
        #[cfg(test)]
        const LANGUAGES: &[&str] = &[$($language),*];

        $(mod $module {
            use flowmonkey_tests::database::Fixture;

            const LANGUAGE: &str = $language;

            #[tokio::test(flavor = "multi_thread")]
            async fn behaves_on_sqlite() {
                crate::behaviours::all(LANGUAGE, Fixture::sqlite().await).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn behaves_on_postgres() {
                crate::behaviours::all(LANGUAGE, Fixture::postgres().await).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn examples_on_sqlite() {
                crate::examples::all(LANGUAGE, Fixture::sqlite().await).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn examples_on_postgres() {
                crate::examples::all(LANGUAGE, Fixture::postgres().await).await;
            }

            #[test]
            fn examples_pass_their_own_cases() {
                crate::examples::own_cases(LANGUAGE);
            }

            #[test]
            fn newcomer_pushes() {
                crate::newcomer::pushes(LANGUAGE);
            }

            #[test]
            fn newcomer_develops() {
                crate::newcomer::develops(LANGUAGE);
            }
        })*
    };
}

languages! {
    language_rust "rust"
    language_c "c"
    language_cpp "cpp"
    language_zig "zig"
    language_javascript "javascript"
    language_typescript "typescript"
    language_python "python"
    language_go "go"
}

#[test]
fn each_language_with_examples_is_here() {
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-examples");
    let entries = std::fs::read_dir(examples).unwrap().map(Result::unwrap);
    let folders = entries.filter(|entry| entry.path().is_dir());
    let names: std::collections::BTreeSet<_> =
        folders.map(|folder| folder.file_name().into_string().unwrap()).collect();
    assert_eq!(names, LANGUAGES.iter().map(|name| (*name).to_owned()).collect());
}
