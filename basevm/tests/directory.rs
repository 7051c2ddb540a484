//! The base's own VMs, `directory` and `system`: who is there, who sees it, and how VMs come and go.
#![allow(missing_docs)]

mod common;

use std::sync::{Arc, Mutex};

use basevm::engine::Program;
use basevm::service::{Hello, Host, Outcome, Reply, Request, Service, VmId};
use basevm::system::{
    Builtin, Compiling, EndReason, Grants, Loader, Loading, System, SystemOptions, VmInfo, VmOptions,
};
use common::{PROBE_IL, Probe, Seen, TestPlatform};
use compiler::{Bounds, Compilation, Options};
use il::isa::InstructionSet;
use il::packet::Value;
use il::trap::Status;
use il::verify::VerifiedModule;

/// Text, to a module's bytes.
fn bytes(source: &str) -> Vec<u8> {
    let source = source.replace("PROBE", &format!("{PROBE_IL}\nuse probe: test.probe@1\n"));
    let module = il::text::compile("test.il", &source, isa::ALL).unwrap_or_else(|errors| panic!("{errors}"));
    il::binary::encode(&module)
}

/// Compiles what it is given, counts the steps, and notes how accesses are to be checked.
struct TestLoader(&'static TestPlatform, Arc<Mutex<usize>>, Arc<Mutex<Vec<Bounds>>>);

struct Job(&'static TestPlatform, Arc<VerifiedModule>, Option<Compilation<Arc<VerifiedModule>>>, Arc<Mutex<usize>>);

impl Loader for TestLoader {
    fn begin(&mut self, bytes: &[u8], bounds: Bounds) -> Result<Loading, String> {
        self.2.lock().unwrap().push(bounds);
        let module = il::binary::decode(bytes).map_err(|why| why.to_string())?;
        let module = Arc::new(il::verify::verify(module).map_err(|why| why.to_string())?);
        let compilation = Compilation::new(module.clone(), &Options { bounds, ..Options::detect() })
            .map_err(|why| why.to_string())?;
        Ok(Loading::Compiling(Box::new(Job(self.0, module, Some(compilation), self.1.clone()))))
    }
}

impl Compiling for Job {
    fn step(&mut self) -> Result<Option<Arc<Program>>, String> {
        *self.3.lock().unwrap() += 1;
        if self.2.as_mut().unwrap().step().map_err(|why| why.to_string())? {
            return Ok(None);
        }
        let code = self.2.take().unwrap().finish();
        Program::load(self.0, self.1.clone(), code).map(Some).map_err(|why| why.to_string())
    }
}

const SHELF_ISA: &str = "isa test.shelf@1 { 1 module(number: i32) -> buf }";
const SHELF_IL: &str = "isa test.shelf@1 { 1 module(number: i32) -> buf }\nuse shelf: test.shelf@1\n";

/// Gives the bytes of modules away.
struct Shelf(Vec<Vec<u8>>);

impl Service for Shelf {
    fn hello(&self) -> Hello {
        let module = il::text::compile("shelf.il", &format!("module m {SHELF_ISA} provides test.shelf@1 {{ op module(number: i32) -> buf {{ return buf(number) }} }}"), &[]).unwrap();
        let set: InstructionSet = module.isas[0].clone();
        Hello { name: "shelf".into(), provides: Box::leak(Box::new(set)) }
    }

    fn execute(&mut self, host: &mut dyn Host, request: Request<'_>) -> Outcome {
        let Some(module) = self.0.get(request.words[0] as usize) else { return Outcome::Fail(Status::OutOfRange) };
        let mut buf = host.buf(module.len()).unwrap();
        buf.copy_from_slice(module);
        Outcome::Done(Reply::new(&[Value::Buf(0)], vec![buf.into()]))
    }
}

/// A system with a probe, a shelf of modules, and the base's VMs.
struct Lab {
    platform: &'static TestPlatform,
    system: System,
    seen: Arc<Mutex<Seen>>,
    steps: Arc<Mutex<usize>>,
    bounds: Arc<Mutex<Vec<Bounds>>>,
}

impl Lab {
    fn new(shelf: &[&str]) -> Lab {
        let platform = TestPlatform::new(true);
        let options = SystemOptions { virtual_clock: true, timeout: Some(20_000_000_000), verbose: true };
        let mut system = System::new(platform, options);
        let steps = Arc::new(Mutex::new(0));
        let bounds = Arc::default();
        system.set_loader(Box::new(TestLoader(platform, steps.clone(), Arc::clone(&bounds))));
        for (builtin, set) in [(Builtin::Directory, &isa::directory::SET), (Builtin::System, &isa::system::SET)] {
            system.add_builtin(builtin, set, VmOptions::default()).unwrap();
        }
        let (probe, seen) = Probe::new("probe");
        system.add_service(Box::new(probe), VmOptions::default()).unwrap();
        let shelf = Shelf(shelf.iter().map(|source| bytes(source)).collect());
        system.add_service(Box::new(shelf), VmOptions::default()).unwrap();
        Lab { platform, system, seen, steps, bounds }
    }

    fn add(&mut self, source: &str, options: VmOptions) -> VmId {
        let program = self.system.load(&bytes(source), Bounds::Guard).unwrap();
        self.system.add_program(program, options).unwrap()
    }

    fn main(&mut self, source: &str) -> VmId {
        self.add(
            source,
            VmOptions { is_main: true, sees: Some(vec!["*".into()]), ..VmOptions::named("", Grants::all()) },
        )
    }

    #[track_caller]
    fn ends(&mut self, reason: EndReason) {
        let ended = self.system.run();
        assert_eq!(ended.reason, reason, "{}", self.platform.text());
    }

    fn said(&self) -> Vec<String> {
        self.seen.lock().unwrap().said.clone()
    }

    fn info(&self, address: &str) -> VmInfo {
        self.system.list().into_iter().find(|info| info.address == address).unwrap()
    }
}

const ECHO: &str = "isa demo.echo@1 { 1 say(text: str) -> (reply: str) }";
const ECHO_OP: &str = "provides demo.echo@1 { op say(text: str) -> (reply: str) { return concat(\"echo: \", text) } }";

#[test]
fn names_are_announced_listed_by_set_and_attribute_and_withdrawn() {
    let mut lab = Lab::new(&[]);
    let kitchen = format!(
        "module echo {ECHO} use directory: cascade.directory@1 {ECHO_OP}
        export func main() {{ directory.announce(\"radio\", \"room=kitchen,volume=3\") wait_forever() }}"
    );
    lab.add(&kitchen, VmOptions::named("", Grants::all()));
    lab.add(&format!("module echo {ECHO} {ECHO_OP}"), VmOptions::named("", Grants::all()));
    lab.main(
        "module main PROBE use directory: cascade.directory@1
        func announce(name: str, attributes: str) {
          let (status, index) = try directory.announce(name, attributes)
          probe.say(concat(str(status), concat(\" \", str(index))))
        }
        export func main() {
          probe.say(directory.list(\"demo.echo@1\"))
          probe.say(directory.list(\"demo.echo@1?room=kitchen\"))
          probe.say(directory.list(\"?volume=4\"))
          let (bad, none) = try directory.list(\"?volume\")
          assert bad == 1
          announce(\"radio\", \"\")
          announce(\"radio\", \"room\")
          announce(\"no name\", \"\")
          probe.say(directory.list(\"?room=kitchen\"))
          directory.withdraw()
          announce(\"radio\", \"\")
          probe.say(directory.list(\"\"))
        }",
    );
    lab.ends(EndReason::Returned);
    let radio = "radio/0 demo.echo@1 room=kitchen,volume=3";
    assert_eq!(
        lab.said(),
        [
            format!("echo/0 demo.echo@1\necho/1 demo.echo@1\n{radio}"),
            radio.into(),
            String::new(),
            "0 1".into(),
            "1 0".into(),
            "1 0".into(),
            radio.into(),
            "0 1".into(),
            format!(
                "directory/0 cascade.directory@1\nsystem/0 cascade.system@1\nprobe/0 test.probe@1\nshelf/0 test.shelf@1\n\
                 echo/0 demo.echo@1\necho/1 demo.echo@1\nmain/0\n{radio}\nradio/1"
            ),
        ]
    );
}

#[test]
fn a_vm_sees_what_its_manifest_says_or_else_what_it_is_granted() {
    let show = |name: &str| {
        format!(
            "module {name} PROBE use directory: cascade.directory@1
            export func main() {{ probe.say(concat(\"{name}: \", directory.list(\"\"))) }}"
        )
    };
    let grants = || Grants::none().allow("probe").allow("directory");
    let mut lab = Lab::new(&[]);
    for _ in 0..2 {
        lab.add(&format!("module echo {ECHO} {ECHO_OP}"), VmOptions::named("", Grants::none()));
    }
    let sees = Some(vec!["echo/1".into(), "test.probe@1".into()]);
    lab.add(&show("chosen"), VmOptions { sees, ..VmOptions::named("", grants()) });
    lab.add(&show("granted"), VmOptions::named("", grants().allow_only("demo.echo@1", &["say"])));
    lab.add(&show("blind"), VmOptions { sees: Some(Vec::new()), ..VmOptions::named("", grants()) });
    lab.system.settle();
    // A slice may end in any of them.
    let mut said = lab.said();
    said.sort();
    assert_eq!(
        said,
        [
            "blind: blind/0",
            "chosen: probe/0 test.probe@1\necho/1 demo.echo@1\nchosen/0",
            "granted: directory/0 cascade.directory@1\nprobe/0 test.probe@1\necho/0 demo.echo@1\necho/1 demo.echo@1\ngranted/0",
        ]
    );
}

const SHELL: &str = "module shell PROBE use directory: cascade.directory@1 use system: cascade.system@1 SHELF
    on directory.arrived(name: str, index: i32, isa: str) { show(\"+\", name, index, isa) }
    on directory.left(name: str, index: i32, isa: str) { show(\"-\", name, index, isa) }
    func show(what: str, name: str, index: i32, isa: str) {
      probe.say(concat(what, concat(name, concat(\"/\", concat(str(index), concat(\" \", isa))))))
    }";

#[test]
fn vms_come_and_go_in_a_running_system_and_subscribers_hear_of_it() {
    let echo = format!("module echo {ECHO} {ECHO_OP}");
    let mut lab = Lab::new(&[&echo]);
    let shell = SHELL.replace("SHELF", SHELF_IL);
    let shell = lab.main(&format!(
        "{shell}
        export func main() {{
          directory.subscribe(\"demo.echo@1\")
          let first = system.spawn(shelf.module(0), \"\", \"\")
          let second = system.spawn(shelf.module(0), \"\", \"\")
          wait() wait()
          system.stop(first)
          wait()
          let third = system.spawn(shelf.module(0), \"\", \"probe=say; clock\")
          wait()
          probe.say(directory.list(\"demo.echo@1\"))
          let again = try system.stop(first)
          let directory_vm = try system.stop(1)
          probe.say(concat(str(again), concat(\" \", str(directory_vm))))
        }}"
    ));
    let account = lab.system.account(shell).unwrap();
    let before = lab.system.table_sizes();
    lab.ends(EndReason::Finished);
    assert_eq!(
        lab.said(),
        [
            "+echo/0 demo.echo@1",
            "+echo/1 demo.echo@1",
            "-echo/0 demo.echo@1",
            "+echo/0 demo.echo@1",
            "echo/1 demo.echo@1\necho/0 demo.echo@1",
            "6 4",
        ]
    );
    assert!(*lab.steps.lock().unwrap() > 6, "compiled in steps");
    assert_eq!(lab.system.table_sizes().vms, before.vms + 2);
    lab.system.stop_vm(shell);
    assert_eq!(account.used(), 0, "what was spawned has ended with its spawner");
    let after = lab.system.table_sizes();
    assert_eq!((after.vms, after.timers), (before.vms - 1, before.timers));
}

#[test]
fn what_is_spawned_gets_no_more_than_its_spawner_has() {
    let quiet = "module quiet PROBE export func main() { probe.note(1) }";
    let loud = "module loud PROBE export func main() { probe.note(2) probe.say(\"loud\") }";
    let lonely = "module lonely isa no.body@1 { 1 x() } use nobody: no.body@1 export func main() { nobody.x() }";
    let mut lab = Lab::new(&[quiet, loud, lonely]);
    let shell = format!(
        "module shell PROBE use system: cascade.system@1 {SHELF_IL}
        func spawn(number: i32, name: str, grants: str) {{
          let (status, vm) = try system.spawn(shelf.module(number), name, grants)
          probe.note(10 + status)
        }}
        export func main() {{
          spawn(0, \"\", \"probe=note\")
          spawn(0, \"\", \"\")
          spawn(0, \"\", \"test.probe@1\")
          spawn(1, \"\", \"probe=note,say\")
          spawn(2, \"\", \"\")
          spawn(0, \"a/b\", \"probe\")
          spawn(0, \"\", \"probe=\")
          let (status, vm) = try system.spawn(buf(100), \"\", \"\")
          probe.note(10 + status)
        }}"
    );
    let grants = Grants::none().allow_only("probe", &["note"]).allow("system").allow("shelf");
    lab.add(&shell, VmOptions { is_main: true, ..VmOptions::named("", grants) });
    lab.ends(EndReason::Returned);
    let mut notes = lab.seen.lock().unwrap().notes.clone();
    notes.retain(|note| *note > 1);
    assert_eq!(notes, [10, 14, 10, 14, 21, 11, 11, 11]);
    let log = lab.platform.text();
    assert!(log.contains("VM 'shell/0' spawns nothing: VM 'loud' was refused: it needs test.probe@1 say"), "{log}");
    assert!(lab.said().is_empty());
}

/// Memory of what is spawned is its spawner's.
#[test]
fn what_is_spawned_uses_its_spawners_memory() {
    let hungry = "module hungry PROBE export func main() {
        let b = buf(3000000) probe.note(len(b)) wait_forever() }
        on probe.tick(value: i32) { probe.note(value) }";
    let mut lab = Lab::new(&[hungry]);
    let shell = format!(
        "module shell PROBE use system: cascade.system@1 {SHELF_IL}
        export func main() {{
          for i in 0..3 {{
            let (status, vm) = try system.spawn(shelf.module(0), \"\", \"probe\")
            probe.note(status)
          }}
          probe.burst(1)
          flush(probe)
          wait_forever()
        }}
        on probe.latest(value: i32) {{ probe.note(100) }}"
    );
    let options = VmOptions { memory_bytes: 8_000_000, is_main: true, ..VmOptions::named("", Grants::all()) };
    lab.add(&shell, options);
    lab.ends(EndReason::Finished);
    let notes = lab.seen.lock().unwrap().notes.clone();
    assert_eq!(notes.iter().filter(|note| **note == 3_000_000).count(), 2, "{notes:?}\n{}", lab.platform.text());
    assert!(lab.platform.text().contains("memory quota"), "{}", lab.platform.text());
    assert_eq!(lab.info("shell/0").state, "waits for events");
}

/// What is looked for by set, name, index or attribute comes as a capability with what the asker's grants leave of it.
#[test]
fn what_is_spawned_is_compiled_as_its_spawner() {
    for bounds in Bounds::ALL {
        let mut lab = Lab::new(&["module child export func main() {}"]);
        let source = format!(
            "module main {SHELF_IL} use system: cascade.system@1
            export func main() {{ let id = system.spawn(shelf.module(0), \"\", \"\") }}"
        );
        lab.add(&source, VmOptions { bounds, is_main: true, ..VmOptions::named("", Grants::all()) });
        lab.ends(EndReason::Returned);
        assert_eq!(lab.bounds.lock().unwrap()[1..], [bounds]);
    }
}

#[test]
fn a_lookup_gives_what_the_grants_allow() {
    let echo = |room: &str| {
        format!(
            "module echo {ECHO} use directory: cascade.directory@1
            global mut said = 0
            {}
            export func main() {{ directory.announce(\"radio\", \"room={room}\") wait_forever() }}",
            ECHO_OP
                .replace("return", "said += 1 return")
                .replace("concat(\"echo: \", text)", &format!("concat(\"{room}: \", text)"))
        )
    };
    let asker = format!(
        "module asker PROBE {ECHO}
        use directory: cascade.directory@1
        func ask(name: str, index: i32) {{
          let found = directory.lookup(\"demo.echo@1\", name, index)
          if found == null {{ probe.say(\"nothing\") return }}
          let echo = found as demo.echo@1 (say)
          let (status, reply) = try echo.say(name)
          probe.say(concat(str(status), reply))
        }}
        export func main() {{
          ask(\"\", -1)
          ask(\"echo\", 1)
          ask(\"echo/1\", -1)
          ask(\"radio?room=hall\", -1)
          ask(\"echo\", 7)
          ask(\"probe\", -1)
          ask(\"?room=cellar\", -1)
        }}"
    );
    let seen = |sees: Option<Vec<String>>, grants: Grants| {
        let mut lab = Lab::new(&[]);
        for room in ["kitchen", "hall"] {
            lab.add(&echo(room), VmOptions::named("", Grants::all()));
        }
        let grants = grants.allow("probe").allow("directory");
        lab.add(&asker, VmOptions { is_main: true, sees, ..VmOptions::named("", grants) });
        lab.ends(EndReason::Returned);
        lab.said()
    };
    let found =
        ["0kitchen: ", "0hall: echo", "0hall: echo/1", "0hall: radio?room=hall", "nothing", "nothing", "nothing"];
    assert_eq!(seen(None, Grants::none().allow("demo.echo@1")), found);
    let nothing = ["nothing"; 7];
    assert_eq!(seen(None, Grants::none()), nothing, "not seen");
    assert_eq!(seen(Some(vec!["*".into()]), Grants::none()), nothing, "seen, but not granted");
    assert_eq!(seen(Some(Vec::new()), Grants::none().allow("demo.echo@1")), nothing, "granted, but not seen");
    let radio = ["0hall: ", "nothing", "nothing", "nothing", "nothing", "nothing", "nothing"];
    assert_eq!(seen(Some(vec!["echo/1".into()]), Grants::none().allow("demo.echo@1"))[0], radio[0]);
}

/// A client that knows less of a set is served by a VM that executes more of it; one that knows other signatures is not.
#[test]
fn an_older_client_works_with_a_newer_set() {
    let newer = "isa demo.echo@1 { 1 say(text: str) -> (reply: str)  2 shout(text: str) -> (reply: str)
        3 count() -> (n: i32)  event 1 said(n: i32) }
        global mut count = 0
        provides demo.echo@1 {
          op say(text: str) -> (reply: str) { count += 1 emit said(count) return concat(\"new: \", text) }
          op shout(text: str) -> (reply: str) { return concat(text, \"!\") }
          op count() -> (n: i32) { return count }
        }";
    let mut lab = Lab::new(&[]);
    lab.add(&format!("module echo {newer}"), VmOptions::named("", Grants::none()));
    lab.main(&format!(
        "module old PROBE {ECHO} use echo: demo.echo@1 use directory: cascade.directory@1
        export func main() {{
          probe.say(echo.say(\"a\"))
          let found = directory.lookup(\"demo.echo@1\", \"\", -1) as demo.echo@1 (say)
          probe.say(found.say(\"b\"))
        }}"
    ));
    lab.ends(EndReason::Returned);
    assert_eq!(lab.said(), ["new: a", "new: b"]);

    let other = "isa demo.echo@1 { 1 say(text: str, times: i32) -> (reply: str) }";
    let mut lab = Lab::new(&[]);
    lab.add(&format!("module echo {newer}"), VmOptions::named("", Grants::none()));
    lab.main(&format!("module odd {other} use echo: demo.echo@1 export func main() {{ let x = echo.say(\"a\", 2) }}"));
    lab.ends(EndReason::Refused);
    assert!(lab.platform.text().contains("`say` of demo.echo@1 has other operands"), "{}", lab.platform.text());
}
