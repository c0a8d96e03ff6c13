use super::Exit;
use std::fmt::Arguments;
use std::io::{ErrorKind, Write};

/// A line of what was asked for, on stdout.
macro_rules! say {
    ($($line:tt)*) => { $crate::cli::print::line(format_args!($($line)*)) };
}

/// A line beside it, on stderr. Nothing hangs on whether somebody reads it.
macro_rules! remark {
    ($($line:tt)*) => {{
        let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("{}\n", format_args!($($line)*)));
    }};
}

/// Who reads may have seen enough, as `head` has: then nothing is missing. Where a disk is full, half an answer does not
/// pass for a whole one: the program ends with 1.
pub(crate) fn line(line: Arguments<'_>) {
    match writeln!(std::io::stdout(), "{line}") {
        Err(why) if why.kind() != ErrorKind::BrokenPipe => {
            remark!("flowmonkey: cannot print: {why}");
            std::process::exit(Exit::Failed as i32);
        }
        _ => {}
    }
}
