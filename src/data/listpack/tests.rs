use super::*;
use proptest::prelude::*;

fn listpack(items: &[&[u8]]) -> Listpack {
    let mut pack = Listpack::new();
    items.iter().for_each(|item| pack.push(item));
    pack
}

fn texts(pack: &Listpack) -> Vec<Vec<u8>> {
    pack.iter().map(Item::to_vec).collect()
}

/// The bytes that Redis has for each kind of element.
#[test]
fn elements_are_encoded_as_redis_does() {
    let cases: [(&[u8], &[u8]); 12] = [
        (b"0", &[0x00, 1]),
        (b"127", &[0x7f, 1]),
        (b"128", &[0xc0, 0x80, 2]),
        (b"-1", &[0xdf, 0xff, 2]),
        (b"-4096", &[0xd0, 0x00, 2]),
        (b"4096", &[0xf1, 0x00, 0x10, 3]),
        (b"-32769", &[0xf2, 0xff, 0x7f, 0xff, 4]),
        (b"8388608", &[0xf3, 0, 0, 0x80, 0, 5]),
        (b"2147483648", &[0xf4, 0, 0, 0, 0x80, 0, 0, 0, 0, 9]),
        (b"", &[0x80, 1]),
        (b"hi", &[0x82, b'h', b'i', 3]),
        (b"007", &[0x83, b'0', b'0', b'7', 4]),
    ];
    for (text, bytes) in cases {
        let pack = listpack(&[text]);
        assert_eq!(&pack.to_bytes()[6..pack.byte_len() - 1], bytes, "{}", text.escape_ascii());
        assert_eq!(texts(&pack), [text]);
    }
}

#[test]
fn what_is_wrong_in_any_byte_is_refused_or_means_the_same() {
    let long = vec![b'x'; 200];
    let good = listpack(&[b"1", b"two", b"-300", &long, b"99999999999"]).to_bytes();
    assert!(Listpack::from_bytes(&good).is_some());
    for cut in 0..good.len() {
        assert!(Listpack::from_bytes(&good[..cut]).is_none(), "{cut}");
    }
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            if let Some(pack) = Listpack::from_bytes(&bad) {
                assert_eq!(pack.iter().count(), 5);
                assert_eq!(pack.iter().rev().count(), 5);
            }
        }
    }
}

/// What makes small collections small: nothing is kept but the elements, and room comes in the allocator's classes.
#[test]
fn memory_holds_the_elements_and_no_more() {
    assert_eq!((size_of::<Listpack>(), Listpack::new().allocated(), Listpack::new().byte_len()), (16, 0, 7));
    let mut hash = Listpack::new();
    (0..10).for_each(|i| {
        hash.push(format!("field{i}").as_bytes());
        hash.push(format!("val:{i:08}").as_bytes());
    });
    assert_eq!((hash.byte_len(), hash.allocated()), (227, 224));
    let room = Listpack::with_capacity(220).allocated();
    assert_eq!(room, 224);
    hash.remove_some(hash.nth(4).unwrap(), 16);
    assert_eq!((hash.byte_len(), hash.allocated()), (51, 48));
}

#[test]
fn a_count_beyond_its_field_is_counted() {
    let mut pack = Listpack::new();
    (0..70_000).for_each(|_| pack.push(b"1"));
    assert_eq!(pack.len(), 70_000);
    pack.remove_some(pack.nth(60_000).unwrap(), 5_000);
    assert_eq!(pack.len(), 65_000);
    assert_eq!(Listpack::from_bytes(&pack.to_bytes()).as_ref(), Some(&pack));
}

#[derive(Debug, Clone)]
enum Step {
    Push(Vec<u8>),
    Insert(usize, Vec<u8>),
    Replace(usize, Vec<u8>),
    Remove(usize, usize),
    Split(usize),
}

fn element() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        any::<i64>().prop_map(|n| n.to_string().into_bytes()),
        (-5000i64..5000).prop_map(|n| n.to_string().into_bytes()),
        proptest::collection::vec(any::<u8>(), 0..20),
        (0usize..20_000).prop_map(|len| vec![b'y'; len]),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => element().prop_map(Step::Push),
        3 => (any::<usize>(), element()).prop_map(|(at, e)| Step::Insert(at, e)),
        2 => (any::<usize>(), element()).prop_map(|(at, e)| Step::Replace(at, e)),
        1 => (any::<usize>(), 1usize..4).prop_map(|(at, n)| Step::Remove(at, n)),
        1 => any::<usize>().prop_map(Step::Split),
    ]
}

proptest! {
    #[test]
    fn it_is_a_vector_of_strings(steps in proptest::collection::vec(step(), 0..60)) {
        let (mut pack, mut model) = (Listpack::new(), Vec::<Vec<u8>>::new());
        for step in steps {
            match step {
                Step::Push(e) => {
                    pack.push(&e);
                    model.push(e);
                }
                Step::Insert(at, e) => {
                    let at = at % (model.len() + 1);
                    pack.insert(pack.nth(at).unwrap_or(pack.end()), &e);
                    model.insert(at, e);
                }
                Step::Replace(at, e) if !model.is_empty() => {
                    let at = at % model.len();
                    pack.replace(pack.nth(at).unwrap(), &e);
                    model[at] = e;
                }
                Step::Remove(at, n) if !model.is_empty() => {
                    let at = at % model.len();
                    let n = n.min(model.len() - at);
                    prop_assert_eq!(pack.remove_some(pack.nth(at).unwrap(), n), n);
                    model.drain(at..at + n);
                }
                Step::Split(at) => {
                    let at = at % (model.len() + 1);
                    let rest = pack.split_off(pack.nth(at).unwrap_or(pack.end()));
                    prop_assert_eq!(texts(&rest), &model[at..]);
                    let mut front = rest;
                    front.append(&pack);
                    pack = front;
                    model.rotate_left(at);
                }
                _ => (),
            }
            prop_assert_eq!(texts(&pack), &model[..]);
            prop_assert_eq!(pack.len(), model.len());
            let backwards: Vec<_> = pack.iter().rev().map(Item::to_vec).collect();
            prop_assert!(backwards.iter().eq(model.iter().rev()));
            let read = Listpack::from_bytes(&pack.to_bytes());
            prop_assert_eq!(read.as_ref(), Some(&pack));
            for (i, e) in model.iter().enumerate() {
                let found = pack.find(pack.first().unwrap(), e, 0);
                prop_assert_eq!(found, pack.nth(model.iter().position(|m| m == e).unwrap()), "{}", i);
            }
        }
    }
}
