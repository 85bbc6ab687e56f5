//! How much of a pool is left, and when that is worth telling: not with every sale.

use uuid::Uuid;

/// Steps of a pool's room. People in line are told their chances by what is left: 64 steps keep that within 2 % of the room, and a pool
/// tells of itself that many times in its life, however many places it has.
const STEPS: i64 = 64;

/// How much of a pool is sold, at one version of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolLevel {
    /// Pool.
    pub pool_id: Uuid,
    /// Its show.
    pub show_id: Uuid,
    /// Its version.
    pub version: i64,
    /// Places that can be held or sold.
    pub room: i64,
    /// Places sold.
    pub sold: i64,
    /// Holds that were sold.
    pub sales: i64,
}

/// How much of a grade of a pool is sold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GradeLevel {
    /// Grade.
    pub grade: String,
    /// Places that can be held or sold.
    pub room: i64,
    /// Places sold.
    pub sold: i64,
}

/// What a pool passed by a change of what is sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passed {
    /// A step of its room, or the last place of a grade went or came back.
    Step,
    /// The last place went.
    SoldOut,
    /// Something is left again.
    Returned,
}

impl PoolLevel {
    /// What it passed since `sold_before` places were sold; `grade_turned`: of a grade the last place went meanwhile, or came back.
    #[must_use]
    pub fn passed(&self, sold_before: i64, grade_turned: bool) -> Option<Passed> {
        let (before, left) = (self.room - sold_before, self.room - self.sold);
        match (before == 0, left == 0) {
            (true, true) => None,
            (false, true) => Some(Passed::SoldOut),
            (true, false) => Some(Passed::Returned),
            (false, false) => {
                let step = |left: i64| left * STEPS / self.room;
                (grade_turned || step(before) != step(left)).then_some(Passed::Step)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(room: i64, before: i64, sold: i64) -> Option<Passed> {
        let level = PoolLevel {
            pool_id: Uuid::nil(),
            show_id: Uuid::nil(),
            version: 1,
            room,
            sold,
            sales: 1,
        };
        level.passed(before, false)
    }

    #[test]
    fn every_sale_of_a_small_pool_is_told_and_one_in_many_of_a_large_one() {
        assert_eq!(passed(5, 0, 1), Some(Passed::Step));
        assert_eq!(passed(64, 62, 63), Some(Passed::Step));
        assert_eq!(passed(64_000, 0, 1), Some(Passed::Step));
        assert_eq!(passed(64_000, 1, 1_000), None);
        assert_eq!(passed(64_000, 1_000, 1_001), Some(Passed::Step));
        // The last step is no end: some places are left in it.
        assert_eq!(passed(64_000, 63_001, 63_999), None);
        for room in [1, 5, 64, 65, 1_000, 64_000] {
            let told = (0..room).filter(|sold| passed(room, *sold, sold + 1).is_some());
            let steps = usize::try_from(room.min(STEPS)).unwrap();
            let told = told.count();
            assert!((steps..=steps + 1).contains(&told), "{room}: {told}");
        }
    }

    #[test]
    fn the_end_and_the_return_are_told_before_any_step() {
        assert_eq!(passed(64_000, 63_999, 64_000), Some(Passed::SoldOut));
        assert_eq!(passed(1, 0, 1), Some(Passed::SoldOut));
        assert_eq!(passed(64_000, 64_000, 63_999), Some(Passed::Returned));
        assert_eq!(passed(1, 1, 0), Some(Passed::Returned));
        assert_eq!(passed(5, 3, 2), Some(Passed::Step));
        for (room, sold) in [(0, 0), (5, 0), (5, 5)] {
            assert_eq!(passed(room, sold, sold), None);
        }
    }
}
