//! Carries out a plan: tries its ways in order until every weight is right in one. A way that the
//! kernel refuses is reported and skipped; if no way has every weight, the best counts. Touches
//! nothing: the caller makes the attempts.

use crate::boot::plan::Serve;

/// How attempts are judged.
pub trait Judge<A> {
    /// Returns whether every weight is right.
    fn whole(&self, attempt: &A) -> bool;
    /// The attempt with the greatest rank is the best.
    fn rank(&self, attempt: &A) -> (usize, usize);
    /// The lines that report a failed attempt.
    fn complaints(&self, attempt: &A) -> Vec<String>;
}

/// Tries the ways; adds each refusal, in order.
pub fn in_order<A>(
    ways: &[Serve],
    refused: &mut Vec<String>,
    judge: &impl Judge<A>,
    mut attempt: impl FnMut(Serve) -> Result<A, String>,
) -> Option<A> {
    let mut best: Option<A> = None;
    for way in ways {
        let made = match attempt(*way) {
            Ok(made) => made,
            Err(why) => {
                refused.push(why);
                continue;
            }
        };
        let better = best.as_ref().is_none_or(|known| judge.rank(&made) > judge.rank(known));
        let loser = if better { best.replace(made) } else { Some(made) };
        refused.extend(loser.iter().flat_map(|loser| judge.complaints(loser)));
        if best.as_ref().is_some_and(|best| judge.whole(best)) {
            break;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Judges an attempt by how many of three weights it has right. The first two are required.
    struct ByCount;

    impl Judge<usize> for ByCount {
        fn whole(&self, right: &usize) -> bool {
            *right == 3
        }

        fn rank(&self, right: &usize) -> (usize, usize) {
            ((*right).min(2), *right)
        }

        fn complaints(&self, right: &usize) -> Vec<String> {
            vec![format!("{right} of 3")]
        }
    }

    #[test]
    fn what_the_kernel_refuses_is_reported_and_the_next_way_is_tried() {
        use Serve::{Baked, HealVolume, RootOwnedVolume, VerifyVolume};
        type Answer = Result<usize, &'static str>;
        type Row<'a> = (&'a str, Vec<(Serve, Answer)>, Option<usize>, &'a [&'a str], usize);
        let heal = |answer| (HealVolume, answer);
        let baked = |answer| (Baked, answer);
        let rows: Vec<Row> = vec![
            ("all right at once", vec![heal(Ok(3)), baked(Ok(3))], Some(3), &[], 1),
            ("EROFS", vec![heal(Err("EROFS")), baked(Ok(3))], Some(3), &["EROFS"], 2),
            ("EACCES", vec![heal(Err("EACCES")), baked(Ok(3))], Some(3), &["EACCES"], 2),
            ("ENOSYS", vec![heal(Err("ENOSYS")), baked(Ok(3))], Some(3), &["ENOSYS"], 2),
            ("no space for the last one", vec![heal(Ok(2)), baked(Ok(3))], Some(3), &["2 of 3"], 2),
            ("no space, no better layer", vec![heal(Ok(2)), baked(Ok(1))], Some(2), &["1 of 3"], 2),
            ("as good as each other: the first", vec![heal(Ok(2)), baked(Ok(2))], Some(2), &["2 of 3"], 2),
            ("root may not keep it", vec![(RootOwnedVolume, Err("EPERM")), baked(Ok(3))], Some(3), &["EPERM"], 2),
            ("root kept two of three", vec![(RootOwnedVolume, Ok(2)), baked(Ok(3))], Some(3), &["2 of 3"], 2),
            ("read-only and empty", vec![(VerifyVolume, Ok(0)), baked(Ok(3))], Some(3), &["0 of 3"], 2),
            ("nothing works", vec![heal(Err("EIO")), baked(Err("ENOENT"))], None, &["EIO", "ENOENT"], 2),
            ("no way at all", vec![], None, &[], 0),
        ];
        let mut wrong = Vec::new();
        for (name, answers, expected, reported, tried) in rows {
            let (mut refused, mut count) = (Vec::new(), 0);
            let ways: Vec<_> = answers.iter().map(|(way, _)| *way).collect();
            let best = in_order(&ways, &mut refused, &ByCount, |way| {
                count += 1;
                let answer = answers.iter().find(|(known, _)| *known == way).map(|(_, answer)| *answer);
                answer.unwrap_or(Err("not in the plan")).map_err(str::to_owned)
            });
            if (best, count) != (expected, tried) || refused != reported {
                wrong.push(format!("{name}: {best:?} after {count} tries, reported {refused:?}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
