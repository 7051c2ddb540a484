use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use basevm::arena;
use basevm::platform::{Access, Idle, IdleAnswer, PAGE_BYTES, Platform};

use super::{HostedOptions, HostedPlatform, ScriptedInput};

const MS: u64 = 1_000_000;

fn idle(next_timer: Option<u64>, device_pending: bool, virtual_clock: bool) -> Idle {
    Idle { now: 5, next_timer, device_pending, virtual_clock, limit: None }
}

/// Rests till the answer is not `Woken`: other tests of this process wake everyone.
fn rest(platform: &HostedPlatform, idle: Idle) -> IdleAnswer {
    loop {
        match platform.idle(idle) {
            IdleAnswer::Woken => continue,
            answer => return answer,
        }
    }
}

fn scripted(times: &[u64], virtual_clock: bool) -> (HostedPlatform, Arc<AtomicU64>) {
    let injected = Arc::new(AtomicU64::new(0));
    let script = times
        .iter()
        .map(|at| {
            let injected = injected.clone();
            ScriptedInput { at: *at, inject: Box::new(move || _ = injected.fetch_add(1, Ordering::SeqCst)) }
        })
        .collect();
    (HostedPlatform::new(HostedOptions { virtual_clock, script, ..HostedOptions::default() }), injected)
}

#[test]
fn virtual_time_jumps_to_the_next_timer_or_input() {
    let (platform, injected) = scripted(&[10, 20, 20], true);
    assert_eq!(rest(&platform, idle(Some(8), false, true)), IdleAnswer::Advance(8));
    assert_eq!(injected.load(Ordering::SeqCst), 0);
    assert_eq!(rest(&platform, idle(Some(30), false, true)), IdleAnswer::Advance(10));
    assert_eq!(platform.idle(idle(None, false, true)), IdleAnswer::Woken, "the input woke its device");
    assert_eq!(rest(&platform, idle(None, false, true)), IdleAnswer::Advance(20));
    assert_eq!(injected.load(Ordering::SeqCst), 3);
    assert_eq!(rest(&platform, idle(Some(3), false, true)), IdleAnswer::Advance(5), "never backwards");
    assert_eq!(rest(&platform, idle(None, false, true)), IdleAnswer::Finished);
}

#[test]
fn a_pending_device_is_waited_for() {
    for virtual_clock in [false, true] {
        let platform = HostedPlatform::new(HostedOptions { virtual_clock, ..HostedOptions::default() });
        let wake = platform.waker();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            wake();
        });
        assert_eq!(platform.idle(idle(None, true, virtual_clock)), IdleAnswer::Woken);
    }
}

#[test]
fn a_limit_ends_any_wait() {
    let platform = HostedPlatform::new(HostedOptions { live_input: true, ..HostedOptions::default() });
    let start = Instant::now();
    for device_pending in [true, false] {
        let limit = platform.now() + 10 * MS;
        while platform.now() < limit {
            assert_eq!(
                platform.idle(Idle { limit: Some(limit), ..idle(None, device_pending, false) }),
                IdleAnswer::Woken
            );
        }
    }
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn real_timers_end_sleep() {
    let platform = HostedPlatform::new(HostedOptions::default());
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(30) {
        let left = 30 * MS - (start.elapsed().as_nanos() as u64).min(30 * MS);
        assert_eq!(platform.idle(idle(Some(5 + left), false, false)), IdleAnswer::Woken);
    }
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(rest(&platform, idle(None, false, false)), IdleAnswer::Finished);
}

#[test]
fn real_scripts_run_by_themselves() {
    let (platform, injected) = scripted(&[0, 20 * MS], false);
    assert_eq!(rest(&platform, idle(None, false, false)), IdleAnswer::Finished);
    assert_eq!(injected.load(Ordering::SeqCst), 2);
}

#[test]
fn live_input_keeps_a_system_up_until_it_is_stopped() {
    let platform = HostedPlatform::leaked(HostedOptions { live_input: true, ..HostedOptions::default() });
    let stopper = std::thread::spawn(|| {
        std::thread::sleep(Duration::from_millis(20));
        platform.request_stop();
    });
    assert_eq!(rest(platform, idle(None, false, false)), IdleAnswer::Finished);
    assert!(platform.stop_requested());
    stopper.join().unwrap();
}

#[test]
fn panics_are_caught_and_say_where() {
    let report = super::panics::guarded(&mut || panic!("{} is broken", "it")).unwrap_err();
    assert!(
        report.starts_with("panic at ") && report.ends_with(": it is broken") && report.contains("tests.rs:"),
        "{report}"
    );
    let platform = HostedPlatform::new(HostedOptions::default());
    assert!(platform.guarded(&mut || panic!("expected by a test")).is_err());
    assert!(platform.guarded(&mut || {}).is_ok());
}

#[test]
fn the_interrupt_word_ticks() {
    let platform = HostedPlatform::new(HostedOptions::default());
    let word = platform.interrupt_word();
    word.store(0, Ordering::Relaxed);
    let start = Instant::now();
    while word.load(Ordering::Relaxed) == 0 {
        assert!(start.elapsed() < Duration::from_secs(10));
        std::thread::yield_now();
    }
}

#[test]
fn pages_come_zeroed_and_lose_their_contents() {
    let platform = HostedPlatform::new(HostedOptions::default());
    let region = platform.reserve(3 * PAGE_BYTES + 1).unwrap();
    assert_eq!(region.bytes, 4 * PAGE_BYTES);
    let range = PAGE_BYTES..2 * PAGE_BYTES;
    let first = (region.base + PAGE_BYTES) as *mut u8;
    for _ in 0..2 {
        platform.protect(&region, range.clone(), Access::ReadWrite).unwrap();
        // SAFETY: just made readable and writable, and known to this test only.
        unsafe {
            assert_eq!(first.read(), 0);
            first.write(1);
        }
        platform.protect(&region, range.clone(), Access::None).unwrap();
    }
    platform.release(region);
}

#[test]
fn arenas_are_counted_and_freed_whole() {
    HostedPlatform::new(HostedOptions::default());
    let arena = arena::take();
    assert_ne!(arena, arena::ArenaId::BASE);
    let (mut kept, base) = arena::scope(arena, || {
        let kept = vec![1u8; 1000];
        let base = arena::scope(arena::ArenaId::BASE, || vec![2u8; 500]);
        drop(vec![0u64; 100]);
        (kept, base)
    });
    assert_eq!(arena::bytes(arena), 1000);
    // Growing elsewhere leaves it where it was; other alignments are kept too.
    kept.extend([3; 3000]);
    assert!(arena::bytes(arena) >= 4000);
    let aligned = arena::scope(arena, || Box::new(Aligned([7; 256])));
    assert_eq!((&raw const *aligned as usize % 256, aligned.0[255]), (0, 7));
    std::mem::forget((kept, aligned));
    let control = arena::control().unwrap();
    // SAFETY: what was allocated in it has just been forgotten.
    unsafe { control.free_whole(arena) };
    assert_eq!((arena::bytes(arena), base.len()), (0, 500));
}

#[repr(align(256))]
struct Aligned([u8; 256]);

/// A bug of Cascade's own is not taken for a VM's fault: the process ends by the signal, and says so.
#[test]
fn faults_outside_of_vms_still_end_the_process() {
    use std::os::unix::process::ExitStatusExt;
    const CHILD: &str = "CASCADE_TEST_FAULT";
    if std::env::var_os(CHILD).is_some() {
        let platform = HostedPlatform::new(HostedOptions::default());
        platform.interrupt_word();
        // SAFETY: not safe at all: the process is to end here.
        unsafe { std::ptr::without_provenance::<u8>(64).read_volatile() };
        return;
    }
    let (_, module) = module_path!().split_once("::").unwrap();
    let name = format!("{module}::faults_outside_of_vms_still_end_the_process");
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    let output = child.args(["--exact", &name, "--nocapture"]).env(CHILD, "1").output().unwrap();
    assert_eq!(output.status.signal(), Some(libc::SIGSEGV), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("cascade: a fault outside of VM code, at 0x0000"), "{said}");
}
