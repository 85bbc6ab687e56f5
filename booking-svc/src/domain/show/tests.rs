use super::*;

fn spec() -> ShowSpec {
    ShowSpec {
        title: "Hamlet".to_owned(),
        cast_names: vec!["A".to_owned()],
        category: String::new(),
        age_rating: String::new(),
        description: "one\ntwo".to_owned(),
        currency: "KRW".parse().unwrap(),
        sale_open_time: "2026-01-01T00:00:00Z".parse().unwrap(),
        sale_close_time: "2026-02-01T00:00:00Z".parse().unwrap(),
        units_per_buyer_max: 4,
        hold_ttl: HOLD_TTL_DEFAULT,
        queue_required: false,
        browse_gated: false,
    }
}

fn show(state: ShowState) -> Show {
    Show {
        show_id: Uuid::from_u128(1),
        seller_id: Uuid::from_u128(2),
        spec: spec(),
        state,
        version: 1,
        create_time: "2026-01-01T00:00:00Z".parse().unwrap(),
    }
}

fn broken(change: impl FnOnce(&mut ShowSpec)) -> Vec<String> {
    let (mut spec, mut violations) = (spec(), Findings::new());
    change(&mut spec);
    spec.check(&mut violations);
    violations
        .list()
        .iter()
        .map(|found| found.field.clone())
        .collect()
}

#[test]
fn each_rule_is_told_by_its_field() {
    assert_eq!(broken(|_| {}), Vec::<String>::new());
    assert_eq!(broken(|spec| spec.title.clear()), ["title"]);
    assert_eq!(
        broken(|spec| spec.cast_names.push(String::new())),
        ["cast_names[1]"]
    );
    assert_eq!(
        broken(|spec| spec.cast_names = vec!["A".to_owned(); 101]),
        ["cast_names"]
    );
    assert_eq!(broken(|spec| spec.category = "x".repeat(201)), ["category"]);
    assert_eq!(
        broken(|spec| spec.age_rating = "x".repeat(201)),
        ["age_rating"]
    );
    assert_eq!(
        broken(|spec| spec.description = "x".repeat(4_001)),
        ["description"]
    );
    assert_eq!(
        broken(|spec| spec.sale_close_time = spec.sale_open_time),
        ["sale_close_time"]
    );
    assert_eq!(
        broken(|spec| spec.units_per_buyer_max = 0),
        ["units_per_buyer_max"]
    );
    assert_eq!(
        broken(|spec| spec.units_per_buyer_max = 101),
        ["units_per_buyer_max"]
    );
    for ttl in [
        TimeDelta::seconds(59),
        TimeDelta::seconds(1_801),
        TimeDelta::milliseconds(60_001),
    ] {
        assert_eq!(broken(|spec| spec.hold_ttl = ttl), ["hold_ttl"], "{ttl}");
    }
    assert_eq!(broken(|spec| spec.browse_gated = true), ["browse_gated"]);
    let gated = |spec: &mut ShowSpec| (spec.queue_required, spec.browse_gated) = (true, true);
    assert_eq!(broken(gated), Vec::<String>::new());
}

#[test]
fn only_a_draft_with_a_performance_is_published() {
    let published = show(ShowState::Draft).publish(true).unwrap();
    assert_eq!(
        (published.state, published.version),
        (ShowState::Published, 2)
    );
    assert_eq!(
        show(ShowState::Draft).publish(false),
        Err(PublishRefused::NoPerformance)
    );
    for has_performance in [false, true] {
        let again = show(ShowState::Published).publish(has_performance);
        assert_eq!(again, Err(PublishRefused::NotDraft));
    }
}

#[test]
fn a_draft_is_seen_by_its_seller_and_by_operators() {
    let viewer = |account: Option<u128>, is_admin| Viewer {
        account_id: account.map(Uuid::from_u128),
        is_admin,
        ..Viewer::default()
    };
    let draft = show(ShowState::Draft);
    assert!(draft.is_visible_to(&viewer(Some(2), false)));
    assert!(draft.is_visible_to(&viewer(Some(3), true)));
    assert!(!draft.is_visible_to(&viewer(Some(3), false)));
    assert!(!draft.is_visible_to(&viewer(None, false)));
    assert!(show(ShowState::Published).is_visible_to(&viewer(None, false)));
}

#[test]
fn a_gated_show_is_open_to_those_who_run_it_or_were_let_in_until_its_sale_closes() {
    let mut gated = show(ShowState::Published);
    (gated.spec.queue_required, gated.spec.browse_gated) = (true, true);
    let (closes, instant) = (gated.spec.sale_close_time, TimeDelta::microseconds(1));
    let viewer = |account: Option<u128>, is_admin, admitted: &[u128]| Viewer {
        account_id: account.map(Uuid::from_u128),
        is_admin,
        admitted: admitted.iter().copied().map(Uuid::from_u128).collect(),
    };
    for (viewer, expected) in [
        (viewer(None, false, &[]), false),
        (viewer(Some(3), false, &[]), false),
        (viewer(Some(3), false, &[9]), false),
        (viewer(Some(3), false, &[1, 9]), true),
        (viewer(Some(2), false, &[]), true),
        (viewer(Some(3), true, &[]), true),
    ] {
        let is_open = gated.is_open_to(&viewer, closes - instant);
        assert_eq!(is_open, expected, "{viewer:?}");
        assert!(gated.is_open_to(&viewer, closes), "{viewer:?}");
        assert!(gated.is_visible_to(&viewer), "lists name it to everybody");
        let mut free = gated.clone();
        free.spec.browse_gated = false;
        assert!(free.is_open_to(&viewer, closes - instant), "{viewer:?}");
    }
}
