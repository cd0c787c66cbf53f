//! Rows through Parquet and back.

use super::*;

fn any_place() -> impl Strategy<Value = Place> {
    let at = || any::<Option<u32>>();
    let depth = proptest::option::of(any::<u64>().prop_map(f64::from_bits));
    (at(), at(), at(), at(), at(), at(), at(), at(), depth).prop_map(
        |(length, from, to, distance_from, distance_to, layer, head, pair, depth)| Place {
            length,
            from,
            to,
            distance_from,
            distance_to,
            layer,
            head,
            pair,
            depth,
        },
    )
}

fn any_row() -> impl Strategy<Value = Measurement> {
    let value = prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        Just(-0.0),
        Just(0.0),
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY)
    ];
    let quantity = (0..Quantity::ALL.len()).prop_map(|n| Quantity::ALL[n]);
    (any::<[String; 3]>(), quantity, any::<[u32; 3]>(), any_place(), value).prop_map(
        |([cell, probe, protocol], quantity, [document, repeat, count], at, value)| Measurement {
            cell: CellId(cell),
            reading: Reading { quantity, probe, protocol, document, repeat, at, value, count },
        },
    )
}

/// The row with its numbers as bits, so that NaN equals NaN and -0 differs from 0.
fn exact(row: &Measurement) -> (CellId, String, [u64; 2], bool) {
    let mut rest = row.clone();
    rest.reading.value = 0.0;
    let depth = rest.reading.at.depth.take();
    let bits = [row.reading.value.to_bits(), depth.unwrap_or_default().to_bits()];
    (row.cell.clone(), format!("{:?}", rest.reading), bits, depth.is_some())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_row_comes_back_bit_for_bit(rows in proptest::collection::vec(any_row(), 0..30)) {
        let bytes = encode(&rows).unwrap();
        prop_assert_eq!(&bytes, &encode(&rows).unwrap(), "the same rows gave other bytes");
        let back = decode(&bytes, Path::new("x.parquet")).unwrap();
        prop_assert_eq!(back.iter().map(exact).collect::<Vec<_>>(), rows.iter().map(exact).collect::<Vec<_>>());
    }
}

fn some_bytes() -> Vec<u8> {
    let Outcome::Measured(rows) = measured(&cell("yarn", 4.0)) else { unreachable!() };
    encode(&rows).unwrap()
}

#[test]
fn a_truncated_file_is_an_error_that_names_it() {
    let bytes = some_bytes();
    for length in (0..bytes.len()).step_by(97).chain([bytes.len() - 1, 4, 8, 12]) {
        let error = decode(&bytes[..length], Path::new("some/m.parquet")).unwrap_err().to_string();
        assert!(error.starts_with("some/m.parquet is "), "{length} bytes: {error}");
        assert!(error.contains("\nhint: "), "{length} bytes: {error}");
    }
}

#[test]
fn every_flipped_byte_is_noticed_before_anything_is_decoded() {
    let bytes = some_bytes();
    for n in 0..bytes.len() {
        for flip in [0x01, 0x80, 0xff] {
            let error = decode(&with_byte(&bytes, n, bytes[n] ^ flip), Path::new("m")).unwrap_err();
            assert!(matches!(error, StoreError::Damaged { .. } | StoreError::Foreign { .. }), "byte {n}: {error}");
        }
    }
}

/// The file with the seal that its content would have, as another program of gyro's line would write it.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let seal = position(&bytes, b"gyro.blake3") + "gyro.blake3".len() + 2;
    bytes[seal..seal + 64].fill(b'0');
    let hash = blake3::hash(&bytes).to_hex();
    bytes[seal..seal + 64].copy_from_slice(hash.as_bytes());
    bytes
}

#[test]
fn foreign_and_later_files_are_refused_by_name() {
    let path = Path::new("some/m.parquet");
    let bytes = some_bytes();
    assert_eq!(sealed(bytes.clone()), bytes);
    let version = position(&bytes, b"gyro.schema") + "gyro.schema".len() + 2;
    assert_eq!(bytes[version], b'1');

    let later = decode(&sealed(with_byte(&bytes, version, b'7')), path).unwrap_err();
    assert!(matches!(later, StoreError::Newer { found: 7, known: 1, .. }), "{later}");
    let nonsense = decode(&sealed(with_byte(&bytes, version, b'x')), path).unwrap_err();
    assert!(matches!(nonsense, StoreError::Damaged { .. }), "{nonsense}");
    let unknown = decode(&sealed(with_byte(&bytes, position(&bytes, b"nll"), b'x')), path).unwrap_err();
    assert!(unknown.to_string().contains("row 0 has the unknown quantity `xll`"), "{unknown}");
    let foreign = decode(&with_byte(&bytes, position(&bytes, b"gyro.blake3"), b'G'), path).unwrap_err();
    assert!(matches!(foreign, StoreError::Foreign { .. }), "{foreign}");
    let text = decode(b"cell,quantity\n", path).unwrap_err();
    assert!(matches!(text, StoreError::Foreign { .. }), "{text}");
    for error in [later, nonsense, unknown, foreign, text] {
        assert!(error.to_string().starts_with("some/m.parquet "), "{error}");
    }
}
