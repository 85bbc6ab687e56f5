//! The tables of database `booking`, as diesel sees them: column by column what the migrations say, which a test compares.

mod catalogue;
mod inventory;
mod sales;

pub use catalogue::{hall, hall_unit, seating_plan, show, venue};
pub use inventory::{buyer_cap, claim, hold, inv_pool, inv_unit, performance, price};
pub use sales::{booking, booking_discount, booking_line, cancellation, saga, saga_event, ticket};

diesel::joinable!(hall -> venue (venue_id));
diesel::joinable!(performance -> hall (hall_id));
diesel::joinable!(performance -> show (show_id));
diesel::allow_tables_to_appear_in_same_query!(
    hall,
    hall_unit,
    inv_pool,
    inv_unit,
    performance,
    price,
    show,
    venue
);
