use super::*;
use proptest::prelude::*;

fn blanks(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    if line.contains(&b'"') {
        return None;
    }
    Some(line.split(|b| *b == b' ').filter(|w| !w.is_empty()).map(<[u8]>::to_vec).collect())
}

const LIMITS: RequestLimits = RequestLimits { bulk_max: 1 << 20, authenticated: true };

type Requests = Vec<Vec<Vec<u8>>>;

/// Feeds the pieces as a connection would, keeping only what the parser still needs.
fn feed(pieces: &[&[u8]], most: usize, limits: RequestLimits) -> (Requests, Option<ProtocolError>) {
    let (mut parser, mut buf, mut got) = (Parser::new(blanks), Vec::new(), Vec::new());
    for piece in pieces {
        buf.extend_from_slice(&piece[parser.fill(piece)..]);
        loop {
            let result = parser.parse(&buf, most, limits);
            let n = parser.requests();
            for i in 0..n {
                got.push(parser.args(parser.request(i), &buf).iter().map(<[u8]>::to_vec).collect());
            }
            let cut = parser.rebase(n);
            buf.drain(..cut);
            if let Err(error) = result {
                return (got, Some(error));
            }
            if n < most {
                break;
            }
        }
    }
    (got, None)
}

fn encode(requests: &Requests) -> Vec<u8> {
    let mut wire = Vec::new();
    for request in requests {
        wire.extend_from_slice(format!("*{}\r\n", request.len()).as_bytes());
        for arg in request {
            wire.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
            wire.extend_from_slice(arg);
            wire.extend_from_slice(b"\r\n");
        }
    }
    wire
}

#[test]
fn wrong_bytes_get_the_errors_redis_gives() {
    use ProtocolError::*;
    let long = vec![b'1'; INLINE_LIMIT + 10];
    let cases: &[(&[u8], ProtocolError)] = &[
        (b"*x\r\n", InvalidMultibulkLength),
        (b"*99999999999\r\n", InvalidMultibulkLength),
        (b"*1\r\n:1\r\n", ExpectedDollar(b':')),
        (b"*1\r\n$-1\r\n", InvalidBulkLength),
        (b"*1\r\n$1048577\r\n", InvalidBulkLength),
        (b"*1\r\n$01\r\n", InvalidBulkLength),
        (b"a \"b\r\n", UnbalancedQuotes),
        (&long, InlineTooBig),
    ];
    for (wire, error) in cases {
        assert_eq!(feed(&[wire], 16, LIMITS).1, Some(*error), "{}", String::from_utf8_lossy(&wire[..wire.len().min(40)]));
    }
    let stranger = RequestLimits { authenticated: false, ..LIMITS };
    assert_eq!(feed(&[b"*11\r\n"], 16, stranger).1, Some(UnauthenticatedMultibulk));
    assert_eq!(feed(&[b"*1\r\n$16385\r\n"], 16, stranger).1, Some(UnauthenticatedBulk));
}

#[test]
fn empty_and_negative_counts_are_skipped() {
    let (got, error) = feed(&[b"*0\r\n*-1\r\n\r\nPING\r\n*1\r\n$4\r\nPING\r\n"], 16, LIMITS);
    assert_eq!((got, error), (vec![vec![b"PING".to_vec()]; 2], None));
}

fn arg() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => proptest::collection::vec(any::<u8>(), 0..40),
        1 => (0..100_000usize).prop_map(|n| vec![b'x'; n]),
    ]
}

proptest! {
    #[test]
    fn any_split_gives_the_same_requests(
        requests in proptest::collection::vec(proptest::collection::vec(arg(), 1..5), 1..6),
        broken in proptest::option::of(proptest::collection::vec(any::<u8>(), 1..30)),
        mut cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
        most in 1..5usize,
    ) {
        let mut wire = encode(&requests);
        wire.extend(broken.clone().unwrap_or_default());
        let whole = feed(&[&wire], 64, LIMITS);
        if broken.is_none() {
            prop_assert_eq!(&whole.0, &requests);
        }
        let mut at: Vec<usize> = cuts.drain(..).map(|c| c.index(wire.len())).collect();
        at.sort_unstable();
        let mut pieces = Vec::new();
        let mut last = 0;
        for cut in at.into_iter().chain([wire.len()]) {
            pieces.push(&wire[last..cut]);
            last = cut;
        }
        prop_assert_eq!(feed(&pieces, most, LIMITS), whole);
    }

    #[test]
    fn requests_that_begin_alike_are_known_and_the_same(
        requests in proptest::collection::vec(
            (prop::sample::select(vec!["a", "GET", "GEt", "SETEX", "ZREVRANGEBYSCORE", ""]), proptest::collection::vec(arg(), 0..3)),
            1..20,
        ),
        inline in proptest::option::of(any::<prop::sample::Index>()),
        cut in any::<prop::sample::Index>(),
    ) {
        let requests: Requests =
            requests.into_iter().map(|(name, rest)| [name.as_bytes().to_vec()].into_iter().chain(rest).collect()).collect();
        let mut requests = requests;
        let mut wire = encode(&requests);
        let at = inline.map(|inline| inline.index(requests.len()));
        if let Some(at) = at {
            let mut words = encode(&requests[..at].to_vec());
            words.extend(b"GET a\r\n");
            words.extend(encode(&requests[at..].to_vec()));
            wire = words;
            requests.insert(at, vec![b"GET".to_vec(), b"a".to_vec()]);
        }
        let (mut parser, cut) = (Parser::in_place(blanks), cut.index(wire.len()));
        parser.parse(&wire, 64, LIMITS).unwrap();
        let alike: Vec<bool> = (0..parser.requests()).map(|i| parser.request(i).begins_alike()).collect();
        let same = |i: usize| {
            let (last, this) = (&requests[i - 1], &requests[i]);
            at.is_none_or(|at| at != i && at + 1 != i) && last.len() == this.len() && last[0] == this[0]
        };
        prop_assert_eq!(alike, (0..requests.len()).map(|i| i > 0 && same(i)).collect::<Vec<_>>());
        prop_assert_eq!(feed(&[&wire], 64, LIMITS).0, requests.clone());
        prop_assert_eq!(feed(&[&wire[..cut], &wire[cut..]], 64, LIMITS).0, requests);
    }

    #[test]
    fn random_bytes_never_panic(wire in proptest::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"*$\r\n019".to_vec())], 0..200)) {
        let single: Vec<&[u8]> = wire.chunks(1).collect();
        prop_assert_eq!(feed(&single, 3, LIMITS), feed(&[&wire], 64, LIMITS));
    }
}

#[test]
fn an_error_is_found_again_until_what_is_in_front_of_it_has_been_done() {
    for wrong in ["*x\r\n", "*1\r\n$-1\r\n", "*1\r\n:1\r\n", "a \"b\r\n", "*1\r\n$1048577\r\n"] {
        let wire = format!("*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nECHO\r\n{wrong}");
        let mut parser = Parser::new(blanks);
        let error = parser.parse(wire.as_bytes(), 16, LIMITS).unwrap_err();
        assert_eq!((parser.requests(), parser.rebase(1), parser.requests()), (2, 0, 1), "{wrong}");
        assert_eq!(parser.args(parser.request(0), wire.as_bytes()).get(0), b"ECHO", "{wrong}");
        let cut = parser.rebase(1);
        assert!(cut >= 28 && wire.len() - cut <= wrong.len());
        let rest = &wire.as_bytes()[cut..];
        assert_eq!(parser.parse(rest, 16, LIMITS), Err(error), "{wrong}");
        let wide = RequestLimits { bulk_max: i64::MAX, ..LIMITS };
        assert_eq!(parser.parse(rest, 16, wide).is_err(), !wrong.contains("1048577"), "{wrong}: limits may have changed");
    }
}

#[test]
fn arguments_that_are_there_are_not_touched_again() {
    let head = [&b"*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n"[..], b"*1000000\r\n", &b"$1\r\na\r\n".repeat(1000)].concat();
    let (mut parser, mut buf) = (Parser::new(blanks), InputBuffer::default());
    buf.extend(&head);
    parser.parse(buf.bytes(), 16, LIMITS).unwrap();
    assert_eq!(parser.requests(), 1);
    let cut = parser.rebase(1);
    assert_eq!(&buf.bytes()[cut..cut + 3], b"*10", "all of the request that is not all there is kept");
    buf.consume(cut);
    for _ in 0..1000 {
        buf.extend(b"$1\r\na\r\n");
        parser.parse(buf.bytes(), 16, LIMITS).unwrap();
        assert_eq!(parser.rebase(0), 0);
    }
    assert!(parser.is_partial());
}
