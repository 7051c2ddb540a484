//! The verifier: its verdict on every case of the corpus, and what it tells people.

mod common;

use common::{code, device_module, func};
use il::{FuncId, Names, Type};

const BUF: Type = Type::Buf;

#[test]
fn verdicts_are_right() {
    let mut wrong = 0;
    for case in common::corpus::all().cases {
        let said = common::rule(&case.module);
        if !case.agrees(&said) {
            println!("{}: the verifier says {said:?}", case.at);
            wrong += 1;
        }
    }
    assert_eq!(wrong, 0, "wrong verdicts");
}

#[test]
fn errors_say_what_where_and_what_to_do() {
    let mut module = device_module();
    module.funcs.push(func(&[BUF], &[], &[], code().take(0).discard().take(0).discard()));
    module.names = Some(Names {
        files: vec!["move.il".into()],
        funcs: vec!["f".into(), "g".into(), "give".into()],
        locals: vec![vec![], vec![], vec!["data".into()]],
        lines: vec![vec![], vec![], vec![(0, 7), (5, 8)]],
        ..Names::default()
    });
    let error = il::verify(module).unwrap_err();
    assert_eq!((error.func, error.offset, error.line), (Some(FuncId(2)), 5, Some(8)));
    assert_eq!(
        error.to_string(),
        "move.il:8: in `give`, byte 5 of its body: `data` has been moved (or was never assigned) on some path to here; \
         assign it anew, or move it later"
    );
}
