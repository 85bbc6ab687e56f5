//! Divides an amount to the last unit.

use std::cmp::Reverse;

/// A line and what its part is proportional to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weight {
    /// Number of the line; the lower one is first where remainders tie.
    pub line_no: u32,
    /// At least 0.
    pub weight: i64,
}

/// The part of each line, by largest remainder: they sum up to `total`, and none is more than its weight.
///
/// More than the sum of the weights is not divided.
#[must_use]
pub fn split(total: i64, weights: &[Weight]) -> Vec<i64> {
    let sum: i64 = weights.iter().map(|line| line.weight).sum();
    if total >= sum {
        return weights.iter().map(|line| line.weight).collect();
    }
    let mut parts = Vec::with_capacity(weights.len());
    let mut remainders = Vec::with_capacity(weights.len());
    let mut left = total;
    for (position, line) in weights.iter().enumerate() {
        let (part, remainder) = proportion(total, line.weight, sum);
        left -= part;
        parts.push(part);
        remainders.push((Reverse(remainder), line.line_no, position));
    }
    remainders.sort_unstable();
    let more = usize::try_from(left).unwrap_or_default();
    for (_, _, position) in remainders.into_iter().take(more) {
        if let Some(part) = parts.get_mut(position) {
            *part += 1;
        }
    }
    parts
}

/// `total * weight / sum` and its remainder. Wide arithmetic is slow, and most products fit without it.
fn proportion(total: i64, weight: i64, sum: i64) -> (i64, i64) {
    if let Some(product) = total.checked_mul(weight) {
        return (product / sum, product % sum);
    }
    let (product, sum) = (i128::from(total) * i128::from(weight), i128::from(sum));
    let narrow = |number| i64::try_from(number).unwrap_or(weight);
    (narrow(product / sum), narrow(product % sum))
}

#[cfg(test)]
mod tests;
