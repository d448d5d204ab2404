use super::{
    super::{
        Fault,
        model::{Model, Value, bytes, number, sequence, string, table},
    },
    pack, unpack, unpack_limit, unpack_one,
};
use proptest::prelude::*;

fn packed(values: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    pack(&mut Model::with(values), &mut out, &mut || Ok(())).unwrap();
    out
}

fn unpacked(text: &[u8]) -> Result<Vec<Value>, Fault> {
    let mut stack = Model::with(&[bytes(text)]);
    unpack(&mut stack, text, &mut || Ok(())).map(|count| stack.results(count))
}

fn message(text: &str) -> Fault {
    Fault::Error(text.into())
}

#[test]
fn numbers_take_the_fewest_bytes() {
    for (value, bytes) in [
        (0.0, &b"\x00"[..]),
        (-0.0, b"\x00"),
        (127.0, b"\x7f"),
        (128.0, b"\xcc\x80"),
        (256.0, b"\xcd\x01\x00"),
        (65536.0, b"\xce\x00\x01\x00\x00"),
        (4294967296.0, b"\xcf\x00\x00\x00\x01\x00\x00\x00\x00"),
        (-1.0, b"\xff"),
        (-32.0, b"\xe0"),
        (-33.0, b"\xd0\xdf"),
        (-129.0, b"\xd1\xff\x7f"),
        (-32769.0, b"\xd2\xff\xff\x7f\xff"),
        (-2147483649.0, b"\xd3\xff\xff\xff\xff\x7f\xff\xff\xff"),
        (0.5, b"\xca\x3f\x00\x00\x00"),
        (0.1, b"\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a"),
        (9223372036854775808.0, b"\xca\x5f\x00\x00\x00"),
        (f64::INFINITY, b"\xca\x7f\x80\x00\x00"),
    ] {
        assert_eq!(packed(&[number(value)]), bytes, "{value}");
        assert_eq!(unpacked(bytes), Ok(vec![number(value)]));
    }
}

#[test]
fn strings_have_headers_by_length() {
    for (len, header) in [(31, &b"\xbf"[..]), (32, b"\xd9\x20"), (256, b"\xda\x01\x00"), (65536, b"\xdb\x00\x01\x00\x00")] {
        let out = packed(&[bytes(&vec![b'x'; len])]);
        assert_eq!((out.len(), &out[..header.len()]), (len + header.len(), header));
    }
}

#[test]
fn tables_are_arrays_or_maps() {
    assert_eq!(packed(&[table([])]), b"\x90");
    assert_eq!(packed(&[sequence([number(1.0), Value::Boolean(true)])]), b"\x92\x01\xc3");
    assert_eq!(packed(&[table([(string("a"), Value::Null)])]), b"\x81\xa1a\xc0");
    assert_eq!(packed(&[table([(number(2.0), number(1.0))])]), b"\x81\x02\x01");
    assert_eq!(packed(&[table([(string("1"), number(1.0))])]), b"\x81\xa11\x01", "a key that reads as 1 is none");
}

#[test]
fn tables_nested_too_deep_are_nil() {
    let deep = (0..20).fold(number(1.0), |inner, _| sequence([inner]));
    let mut expected = vec![0x91; 16];
    expected.push(0xc0);
    assert_eq!(packed(&[deep]), expected);
}

#[test]
fn several_values_are_packed_one_behind_the_other() {
    assert_eq!(packed(&[number(1.0), Value::Nil, string("a")]), b"\x01\xc0\xa1a");
    assert_eq!(unpacked(b"\x01\xc0\xa1a"), Ok(vec![number(1.0), Value::Nil, string("a")]));
    let nothing = pack(&mut Model::default(), &mut Vec::new(), &mut || Ok(()));
    assert_eq!(nothing, Err(Fault::Argument(0, "MessagePack pack needs input.".into())));
}

#[test]
fn a_part_is_unpacked_with_the_offset_of_the_rest() {
    let text = b"\x01\x02\x03";
    let one = |offset: Value| {
        let mut stack = Model::with(&[bytes(text), offset]);
        unpack_one(&mut stack, text, &mut || Ok(())).map(|count| stack.results(count))
    };
    let limit = |limit: f64, offset: f64| {
        let mut stack = Model::with(&[bytes(text), number(limit), number(offset)]);
        unpack_limit(&mut stack, text, &mut || Ok(())).map(|count| stack.results(count))
    };
    assert_eq!(one(Value::Nil), Ok(vec![number(1.0), number(1.0)]));
    assert_eq!(one(number(2.0)), Ok(vec![number(-1.0), number(3.0)]));
    assert_eq!(one(number(3.0)), Ok(vec![number(-1.0)]));
    assert_eq!(one(number(4.0)), Err(message("Start offset 4 greater than input length 3.")));
    assert_eq!(one(number(-1.0)), Err(message("Invalid request to unpack with offset of -1 and limit of 3.")));
    assert_eq!(limit(2.0, 0.0), Ok(vec![number(2.0), number(1.0), number(2.0)]));
    assert_eq!(limit(0.0, 1.0), Ok(vec![number(1.0)]));
    assert_eq!(limit(0.0, 0.0), Ok(vec![number(1.0), number(2.0), number(3.0)]), "no limit and no offset: all");
}

#[test]
fn what_is_no_message_says_why() {
    for text in [&b"\xcc"[..], b"\xa2a", b"\x91", b"\x81\x01", b"\xdd\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xffa"] {
        assert_eq!(unpacked(text), Err(message("Missing bytes in input.")));
    }
    for text in [&b"\xc1"[..], b"\xc4\x00", b"\xd4\x00\x00"] {
        assert_eq!(unpacked(text), Err(message("Bad data format in input.")));
    }
    assert_eq!(unpacked(b"\x81\xc0\x01"), Err(Fault::Plain("table index is nil".into())));
    assert_eq!(unpacked(b"\x81\xca\x7f\xc0\x00\x00\x01"), Err(Fault::Plain("table index is NaN".into())));
}

#[test]
fn the_stack_bounds_nesting() {
    assert!(matches!(unpacked(&[0x91; 100_000]), Err(Fault::Error(text)) if text.starts_with("stack overflow (")));
}

#[test]
fn a_script_that_is_to_end_ends_inside() {
    let long = vec![1; 10_000];
    let result = unpack(&mut Model::default(), &[&b"\xdc\x27\x10"[..], &long].concat(), &mut || Err(Fault::Stopped));
    assert_eq!(result, Err(Fault::Stopped));
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::Boolean),
        any::<f64>().prop_map(number),
        any::<i32>().prop_map(|value| number(f64::from(value))),
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(|value| bytes(&value)),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..20).prop_map(sequence),
            proptest::collection::btree_map("[a-z]{0,5}", inner, 1..6)
                .prop_map(|pairs| table(pairs.into_iter().map(|(key, value)| (string(&key), value)))),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_packed_is_unpacked_again(values in proptest::collection::vec(any_value(), 1..4)) {
        prop_assert_eq!(unpacked(&packed(&values)), Ok(values));
    }

    #[test]
    fn no_message_does_harm(text in proptest::collection::vec(any::<u8>(), 0..40)) {
        let _ = unpacked(&text);
    }
}
