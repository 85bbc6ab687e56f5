use super::*;

#[test]
fn kinds_have_names_of_their_own_and_are_in_the_order_of_their_stages() {
    let names: Vec<_> = KINDS.iter().map(|kind| kind.name()).collect();
    assert_eq!(
        names,
        ["LINE_PERCENT", "LINE_FIXED", "ORDER_PERCENT", "ORDER_FIXED"]
    );
    assert!(KINDS.is_sorted_by(|one, next| one.stage() < next.stage()));
    for known in KINDS {
        let found = kind(known.name()).unwrap();
        assert_eq!((found.name(), found.stage()), (known.name(), known.stage()));
    }
    assert!(kind("line_percent").is_none());
}

#[test]
fn stages_of_lines_come_before_stages_of_the_sum() {
    let scopes: Vec<_> = KINDS.iter().map(|kind| kind.stage().scope()).collect();
    assert_eq!(scopes, [Scope::Line, Scope::Line, Scope::Sum, Scope::Sum]);
}

#[test]
fn values_are_percentages_or_amounts() {
    for (name, right, wrong, remedy) in [
        (
            "LINE_PERCENT",
            vec![1, 100],
            vec![-1, 0, 101, i64::MAX],
            "1 to 100",
        ),
        (
            "ORDER_PERCENT",
            vec![1, 100],
            vec![i64::MIN, 0, 101],
            "1 to 100",
        ),
        ("LINE_FIXED", vec![1, i64::MAX], vec![0, -1], "at least 1"),
        ("ORDER_FIXED", vec![1, 101], vec![0, i64::MIN], "at least 1"),
    ] {
        let kind = kind(name).unwrap();
        for value in right {
            assert_eq!(kind.check(value), Ok(()), "{name} {value}");
        }
        for value in wrong {
            let found = kind.check(value).unwrap_err();
            assert!(found.contains(remedy), "{name} {value}: {found}");
        }
    }
}

#[test]
fn each_kind_takes_off_what_the_table_says() {
    for (name, value, amount, quantity, discount) in [
        ("LINE_PERCENT", 10, 999, 3, 99),
        ("LINE_PERCENT", 1, 99, 1, 0),
        ("LINE_PERCENT", 100, 7, 1, 7),
        ("LINE_FIXED", 50, 1_000, 3, 150),
        ("LINE_FIXED", 50, 120, 3, 120),
        ("LINE_FIXED", i64::MAX, 120, 3, 120),
        ("ORDER_PERCENT", 33, 100, 3, 33),
        ("ORDER_PERCENT", 33, 10, 3, 3),
        ("ORDER_FIXED", 50, 1_000, 3, 50),
        ("ORDER_FIXED", 50, 49, 3, 49),
        (
            "ORDER_PERCENT",
            99,
            6_400_000_000_000_000,
            100,
            6_336_000_000_000_000,
        ),
    ] {
        let found = kind(name).unwrap().of(value, amount, quantity);
        assert_eq!(found, discount, "{name} {value} of {amount}");
    }
}

#[test]
fn what_the_search_relies_on_holds_for_every_kind() {
    for kind in KINDS {
        for value in [1, 7, 50, 99, 100] {
            let of = |amount| kind.of(value, amount, 2);
            for amount in 0..400 {
                let (less, more) = (of(amount), of(amount + 1));
                assert!(less >= 0 && less <= amount, "{kind:?}");
                assert!(
                    less <= more && more <= less + 1,
                    "{kind:?} {value} {amount}"
                );
                for larger in [amount + 1, amount + 13, 2 * amount + 1] {
                    // the share of the larger amount, of the smaller one, is at most a unit more than what is taken off that
                    assert!(of(larger) * amount <= (less + 1) * larger, "{kind:?}");
                }
            }
        }
    }
}
