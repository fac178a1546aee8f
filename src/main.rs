//! `pcm`: arguments in, exit status out.

fn main() -> std::process::ExitCode {
    pcm::cli::main(std::env::args_os())
}
