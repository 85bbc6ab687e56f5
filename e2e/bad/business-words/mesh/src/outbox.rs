//! Mechanism that knows too much.

/// The exchange of booking-svc. REFUSED
const EXCHANGE: &str = "usher.events";
/// A shareholder is no word of a business, nor is a threshold.
fn publish(seat: u32) {} // REFUSED

#[cfg(test)]
mod tests {
    const SERVICE: &str = "booking-svc";
}
