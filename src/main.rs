//! The program; everything it does is in the library.

fn main() -> std::process::ExitCode {
    sso_certd::cli::main(std::env::args_os())
}
