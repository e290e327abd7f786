//! Our routers against real ones: `cargo xtask interop [NAME]`.
//!
//! Each scenario makes a network namespace, starts FRR or BIRD in it, and puts a router of a world on
//! the other end of a TAP device, in real time. Nothing leaves the namespaces. It needs Linux, root, and
//! the programs; without them the scenarios are skipped, and the last line says so.
#![allow(
    clippy::print_stdout,
    reason = "a command-line tool talks on its standard streams"
)]

#[cfg(target_os = "linux")]
mod attach;
#[cfg(target_os = "linux")]
mod burst;
#[cfg(target_os = "linux")]
mod edges;
#[cfg(target_os = "linux")]
mod kernel;
#[cfg(target_os = "linux")]
mod lab;
#[cfg(target_os = "linux")]
mod live_capture;
#[cfg(target_os = "linux")]
mod namespace;
#[cfg(target_os = "linux")]
mod ours;
#[cfg(target_os = "linux")]
mod own_routers;
#[cfg(target_os = "linux")]
mod peers;
#[cfg(target_os = "linux")]
mod ports;
#[cfg(target_os = "linux")]
mod postgres;
#[cfg(target_os = "linux")]
mod runner;
#[cfg(target_os = "linux")]
mod scenarios;
#[cfg(target_os = "linux")]
mod tag_shim;
#[cfg(target_os = "linux")]
mod tagged;
#[cfg(target_os = "linux")]
mod tap;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    runner::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("skipped: needs Linux");
}
