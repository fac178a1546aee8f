//! What is asked of the figures of a rollout (SITE.md 2): `--fail-if`, `--warn`, `--crit`.

use super::parse::{self, Reader};
use super::{BadExpression, Expression, Op};
use crate::terms::words;
use serde::{Deserialize, Serialize};

words!(
    /// A figure.
    Figure {
        /// The targets on which it failed, or was interrupted.
        Failed = "failed",
        /// The targets that say nothing that can be counted.
        Silent = "silent",
        /// The jobs that are halted.
        Halted = "halted",
        /// The targets on which it has not run.
        Waiting = "waiting",
        /// The targets with results that could not be delivered.
        Undelivered = "undelivered",
    }
);

/// One test.
#[derive(Debug, Clone, PartialEq)]
pub enum Measure {
    /// A figure is compared with a number.
    Number(Figure, Op, u64),
    /// A figure is compared with a percentage of what it is a part of.
    Percent(Figure, Op, f64),
}

impl Expression<Measure> {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong, with the column.
    pub fn measure(text: &str) -> Result<Self, BadExpression> {
        parse::read(text, one)
    }

    /// Whether it holds where `figures` says of each how many, and of how many. A percentage of nothing is 0.
    pub fn holds_for(&self, figures: &impl Fn(Figure) -> (u64, u64)) -> bool {
        self.judge(&|measure| Some(measure.holds(figures))) == Some(true)
    }
}

impl Measure {
    /// A job is halted.
    pub fn halted() -> Self {
        Measure::Number(Figure::Halted, Op::Above, 0)
    }

    #[allow(clippy::cast_precision_loss)] // numbers of machines are small
    fn holds(&self, figures: &impl Fn(Figure) -> (u64, u64)) -> bool {
        match self {
            Measure::Number(figure, op, than) => op.holds(figures(*figure).0.cmp(than)),
            Measure::Percent(figure, op, than) => {
                let (n, of) = figures(*figure);
                op.holds((n as f64 * 100.0).total_cmp(&(than * of as f64)))
            }
        }
    }
}

fn one(reader: &mut Reader<'_, Measure>) -> Result<Measure, BadExpression> {
    let word = reader.word();
    let Some(figure) = Figure::ALL.iter().find(|figure| figure.as_str() == word) else {
        let all: Vec<_> = Figure::ALL.iter().map(|figure| figure.as_str()).collect();
        return Err(reader.wanted(&format!("one of {}", all.join(", "))));
    };
    reader.skip(word);
    // Alone it asks whether there is any.
    if reader.is_over() {
        return Ok(Measure::Number(*figure, Op::Above, 0));
    }
    let op = reader.op()?;
    reader.bare(|text| {
        let bad = || format!("wanted a number like 10 or a percentage like 2.5%, found {text:?}");
        match text.strip_suffix('%') {
            None => text.parse().map(|n| Measure::Number(*figure, op, n)).map_err(|_| bad()),
            Some(percent) => {
                let percent = percent.parse::<f64>().ok().filter(|p| (0.0..=100.0).contains(p));
                percent.map(|percent| Measure::Percent(*figure, op, percent)).ok_or_else(bad)
            }
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn figures_are_compared_with_numbers_and_with_shares_of_what_they_are_a_part_of() {
        let figures = |figure: Figure| match figure {
            Figure::Failed => (5, 100),
            Figure::Silent => (0, 0),
            Figure::Halted => (1, 4),
            Figure::Waiting => (30, 100),
            Figure::Undelivered => (0, 100),
        };
        let holds = |text: &str| Expression::measure(text).unwrap().holds_for(&figures);
        for yes in [
            "failed >= 5",
            "failed>=5% && failed<=5%",
            "halted",
            "halted && !undelivered",
            "(waiting > 29.5%)",
        ] {
            assert!(holds(yes) && !holds(&format!("!({yes})")), "{yes}");
        }
        for no in ["failed > 5%", "silent", "silent > 0%", "undelivered > 0 || waiting < 30"] {
            assert!(!holds(no), "{no}");
        }
    }

    #[test]
    fn an_error_points_at_its_column() {
        for (text, column) in [
            ("", 1),
            ("fail > 3", 1),
            ("failed > x", 10),
            ("failed > 101%", 10),
            ("failed > 5 %", 12),
            ("failed 5", 8),
        ] {
            let wrong = Expression::measure(text).unwrap_err();
            assert_eq!(wrong.column, column, "{text}: {wrong}");
        }
    }
}
