use proptest::prelude::*;

use super::*;

fn weights(of: &[i64]) -> Vec<Weight> {
    (1..)
        .zip(of)
        .map(|(line_no, &weight)| Weight { line_no, weight })
        .collect()
}

#[test]
fn the_largest_remainders_get_what_does_not_divide() {
    for (total, of, parts) in [
        (10, vec![1, 1, 1], vec![1, 1, 1]), // more than there is
        (2, vec![1, 1, 1], vec![1, 1, 0]),  // a tie: lower lines first
        (10, vec![50, 30, 20], vec![5, 3, 2]),
        (10, vec![10, 20, 70], vec![1, 2, 7]),
        (7, vec![10, 20, 70], vec![1, 1, 5]), // 0.7, 1.4, 4.9
        (5, vec![3, 3, 4], vec![2, 1, 2]),    // 1.5, 1.5, 2
        (1, vec![0, 5, 5], vec![0, 1, 0]),
        (0, vec![3, 4], vec![0, 0]),
        (0, vec![0, 0], vec![0, 0]),
        (3, vec![], vec![]),
    ] {
        assert_eq!(split(total, &weights(&of)), parts, "{total} by {of:?}");
    }
}

#[test]
fn ties_look_at_the_number_of_the_line_not_its_position() {
    let line = |line_no| Weight { line_no, weight: 5 };
    assert_eq!(split(4, &[line(3), line(1), line(2)]), [1, 2, 1]);
}

#[test]
fn the_largest_orders_divide_exactly() {
    let most = 100_000_000_000_000;
    assert_eq!(
        split(most + 1, &weights(&[most; 3])),
        [most / 3 + 1, most / 3 + 1, most / 3]
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn parts_sum_up_and_are_next_to_the_exact_proportion(
        of in prop::collection::vec(prop_oneof![0_i64..5, 0_i64..100_000, 0_i64..100_000_000_000_000], 1..64),
        millionths in 0_i128..=1_000_000,
    ) {
        let sum: i64 = of.iter().sum();
        let total = i64::try_from(i128::from(sum) * millionths / 1_000_000).unwrap();
        let parts = split(total, &weights(&of));
        prop_assert_eq!(parts.iter().sum::<i64>(), total);
        for (&part, &weight) in parts.iter().zip(&of) {
            prop_assert!(0 <= part && part <= weight);
            let off = i128::from(part) * i128::from(sum) - i128::from(total) * i128::from(weight);
            prop_assert!(off.abs() < i128::from(sum.max(1)));
        }
    }
}
