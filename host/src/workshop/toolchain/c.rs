//! C and C++: Zig brings a compiler for both with libraries for WebAssembly; else clang with Debian's.

use super::{Profile, from_module};
use crate::workshop::folder::files;
use crate::workshop::tool::{self, Missing};
use crate::workshop::{Fault, Language, Workplace};
use std::path::{Path, PathBuf};
use tokio::process::Command;

/// The flags that the handler's author chooses; editors read them too.
const FLAGS_FILE: &str = "compile_flags.txt";
/// Names of functions stay, for backtraces. A stack of the size that the host would give a native one.
const LINK: [&str; 3] = ["-mexec-model=reactor", "-Wl,-z,stack-size=1048576", "-g"];
/// How the C of the bindings is compiled, where the flags are for another language.
const BINDINGS_FLAGS: [&str; 4] = ["-std=gnu23", "-Os", "-g", "-c"];
/// Elsewhere clang comes without a C library for WebAssembly, or does not find it.
const CLANG_ON_DEBIAN: &str = "sudo apt-get install clang-19 lld-19 wasi-libc libclang-rt-19-dev-wasm32 \
    libc++-19-dev-wasm32 libc++abi-19-dev-wasm32";

/// A compiler for WebAssembly, by the words that call it.
struct Compiler {
    program: PathBuf,
    c: Vec<&'static str>,
    cpp: Vec<&'static str>,
    /// Where there are two programs.
    cpp_program: Option<PathBuf>,
}

impl Compiler {
    async fn find(workplace: &Workplace) -> Result<Self, Fault> {
        if let Some(zig) = super::zig::find(workplace).await {
            let words = |verb| zig.words.iter().copied().chain([verb, "-target", "wasm32-wasi"]).collect();
            return Ok(Compiler {
                c: words("cc"),
                cpp: words("c++"),
                program: zig.program,
                cpp_program: None,
            });
        }
        for (c, cpp) in [("clang-19", "clang++-19"), ("clang", "clang++")] {
            let (Some(program), cpp_program) = (tool::on_path(c).next(), tool::on_path(cpp).next()) else {
                continue;
            };
            if has_library(&program, workplace.language).await {
                let target = vec!["--target=wasm32-wasi"];
                return Ok(Compiler { program, c: target.clone(), cpp: target, cpp_program });
            }
        }
        let mut install = super::zig::install(workplace);
        if tool::is_debian() {
            install = format!("{install}\nor\n  {CLANG_ON_DEBIAN}");
        }
        let what = "handlers in C and C++ are built by zig or by clang with a library for WebAssembly, and neither is here";
        Err(Missing::fault(what, install))
    }

    fn command(&self, language: Language, workplace: &Workplace) -> Result<Command, Fault> {
        let (program, words) = match language {
            Language::Cpp => (self.cpp_program.as_ref().unwrap_or(&self.program), &self.cpp),
            _ => (&self.program, &self.c),
        };
        let mut command = Command::new(program);
        command.current_dir(&workplace.folder).args(words);
        command.env(super::zig::CACHE.0, workplace.built(super::zig::CACHE.1)?);
        Ok(command)
    }
}

/// Whether clang knows where the library is; it answers with a bare name when it does not.
async fn has_library(clang: &Path, language: Language) -> bool {
    let file = if language == Language::Cpp { "libc++.a" } else { "crt1-reactor.o" };
    let print = format!("-print-file-name={file}");
    let answer = tool::answer(clang, &["--target=wasm32-wasi", &print]).await;
    answer.is_some_and(|path| path.contains('/') && Path::new(&path).is_file())
}

pub(super) async fn build(workplace: &Workplace, profile: Profile) -> Result<Vec<u8>, Fault> {
    let compiler = Compiler::find(workplace).await?;
    let bindings = workplace.bindings()?;
    let module = workplace.core_module()?;
    let mut link = compiler.command(workplace.language, workplace)?;
    if workplace.folder.join(FLAGS_FILE).is_file() {
        link.arg(format!("@{FLAGS_FILE}"));
    }
    if profile == Profile::Debug {
        link.arg("-O0");
    }
    link.args(LINK);
    if workplace.language == Language::Cpp {
        link.args(workplace.sources("cpp")?).args(files(&bindings, "cpp")?);
        link.args(objects(workplace, &compiler, &bindings.join("c")).await?);
    } else {
        link.args(workplace.sources("c")?).args(c_of(&bindings)?);
    }
    tool::run(link.arg("-o").arg(&module)).await?;
    from_module(workplace, &module, profile)
}

fn c_of(bindings: &Path) -> Result<Vec<PathBuf>, Fault> {
    Ok([files(bindings, "c")?, files(&bindings.join("generated"), "c")?].concat())
}

/// The C below the bindings, which does not take the flags of C++.
async fn objects(workplace: &Workplace, compiler: &Compiler, bindings: &Path) -> Result<Vec<PathBuf>, Fault> {
    let mut objects = Vec::new();
    for source in c_of(bindings)? {
        let name = source.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let object = workplace.built(&format!("objects/{name}.o"))?;
        let mut compile = compiler.command(Language::C, workplace)?;
        tool::run(compile.args(BINDINGS_FLAGS).arg(&source).arg("-o").arg(&object)).await?;
        objects.push(object);
    }
    Ok(objects)
}
