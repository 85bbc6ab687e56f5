//! Money is a count of minor units and a currency. No floating point comes near it.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

mod iso4217;

/// An ISO 4217 currency that is in use.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency(&'static str);

impl Currency {
    /// The code in capitals, e.g. `KRW`.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

/// A code that names no currency in use.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("is not an ISO 4217 code in capitals, such as KRW or EUR")]
pub struct UnknownCurrency;

impl FromStr for Currency {
    type Err = UnknownCurrency;

    fn from_str(text: &str) -> Result<Self, UnknownCurrency> {
        let index = iso4217::CODES
            .binary_search(&text)
            .map_err(|_| UnknownCurrency)?;
        Ok(Self(iso4217::CODES[index]))
    }
}

/// An amount of one currency, in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Money {
    /// Count of the currency's smallest unit.
    pub minor_units: i64,
    /// The currency.
    pub currency: Currency,
}

/// Why two amounts do not make a third.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum MoneyError {
    /// The amounts are of two currencies.
    #[error("{0} and {1} do not add up")]
    TwoCurrencies(Currency, Currency),
    /// The result does not fit.
    #[error("the amount is too large")]
    TooLarge,
}

impl Money {
    /// An amount in minor units.
    #[must_use]
    pub fn new(minor_units: i64, currency: Currency) -> Self {
        Self {
            minor_units,
            currency,
        }
    }

    /// Nothing, in `currency`.
    #[must_use]
    pub fn zero(currency: Currency) -> Self {
        Self::new(0, currency)
    }

    /// The sum. Fails on two currencies and on overflow.
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::TwoCurrencies(self.currency, other.currency));
        }
        let sum = self.minor_units.checked_add(other.minor_units);
        sum.map(|units| Self::new(units, self.currency))
            .ok_or(MoneyError::TooLarge)
    }

    /// The amount `quantity` times. Fails on overflow.
    pub fn times(self, quantity: u32) -> Result<Self, MoneyError> {
        let product = self.minor_units.checked_mul(i64::from(quantity));
        product
            .map(|units| Self::new(units, self.currency))
            .ok_or(MoneyError::TooLarge)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.minor_units, self.currency)
    }
}

impl From<Money> for proto::usher::r#type::v1::Money {
    fn from(money: Money) -> Self {
        Self {
            minor_units: money.minor_units,
            currency: money.currency.code().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_and_unique() {
        assert!(iso4217::CODES.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn only_codes_in_use_are_currencies() {
        assert_eq!("KRW".parse::<Currency>().unwrap().code(), "KRW");
        for wrong in ["krw", "XYZ", "", "KRWW", "₩"] {
            assert_eq!(wrong.parse::<Currency>(), Err(UnknownCurrency), "{wrong}");
        }
    }

    #[test]
    fn sums_refuse_two_currencies_and_overflow() {
        let won = |units| Money::new(units, "KRW".parse().unwrap());
        let euro = Money::zero("EUR".parse().unwrap());
        assert_eq!(won(1).plus(won(2)), Ok(won(3)));
        assert!(matches!(
            won(1).plus(euro),
            Err(MoneyError::TwoCurrencies(..))
        ));
        assert_eq!(won(i64::MAX).plus(won(1)), Err(MoneyError::TooLarge));
        assert_eq!(won(i64::MAX).times(2), Err(MoneyError::TooLarge));
        assert_eq!(won(50).times(3), Ok(won(150)));
    }
}
