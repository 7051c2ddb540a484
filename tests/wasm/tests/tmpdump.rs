use wasm_suite::{files, group, script::{Script, Unit}};
#[test]
fn dump() {
    let name = std::env::var("F").unwrap(); let func: usize = std::env::var("N").unwrap().parse().unwrap(); let u: usize = std::env::var("U").unwrap().parse().unwrap();
    let (_, file) = files::core_2_0().into_iter().find(|f| f.0 == name).unwrap();
    let s = Script::new(file.raw()).unwrap();
    let m = group::translate(&[(Unit::name(u), &s.units[u])]).unwrap();
    let f = &m.funcs[func];
    println!("{:?} locals {:?}", f.sig, f.locals);
    let mut r = il::instr::Reader::new(&f.body);
    loop { let o = r.offset(); match r.next() { Ok(Some(i)) => println!("{o:4} {i:?}"), _ => break } }
}
