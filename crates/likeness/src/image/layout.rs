//! Decides from the header which samplings of a JPEG's components are decoded. Touches nothing.
//!
//! The decoder upsamples each plane to the picture's size. The decoder does so as libjpeg-turbo does, with two
//! exceptions: four components that are sampled unevenly (libjpeg-turbo reads past a plane or squeezes it), and chroma
//! that is finer than luma (libjpeg-turbo calls the file damaged). libjpeg-turbo itself refuses ratios that are no
//! whole numbers.

/// Refuses a layout whose pixels would not be libjpeg-turbo's. `sampling` is horizontal and vertical, of each
/// component; `ycc` is true if the first component is luma and the others are chroma.
///
/// # Errors
/// The reason, in words.
pub(super) fn check(sampling: &[[usize; 2]], ycc: bool) -> Result<(), String> {
    let most = [0, 1].map(|axis| sampling.iter().map(|factors| factors[axis]).max().unwrap_or(1));
    let whole =
        |factors: &[usize; 2]| (0..2).all(|axis| factors[axis] != 0 && most[axis].is_multiple_of(factors[axis]));
    match sampling {
        [_] => Ok(()),
        [_, _, _] | [_, _, _, _] if !sampling.iter().all(whole) => {
            Err(format!("its components are sampled in no whole ratio ({})", in_words(sampling)))
        }
        [first, _, _] if ycc && *first != most => {
            Err(format!("its chroma is sampled finer than its luma ({})", in_words(sampling)))
        }
        [_, _, _] => Ok(()),
        [first, rest @ ..] if rest.len() == 3 && rest.iter().any(|other| other != first) => {
            Err(format!("its four components are sampled unevenly ({})", in_words(sampling)))
        }
        [_, _, _, _] => Ok(()),
        other => Err(format!("it has {} components; expected 1, 3 or 4", other.len())),
    }
}

fn in_words(sampling: &[[usize; 2]]) -> String {
    sampling.iter().map(|[h, v]| format!("{h}x{v}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_names_its_layout() {
        // (sampling, whether it is YCbCr, the words of the refusal; empty if it is decoded)
        let table: [(&[[usize; 2]], bool, &str); 11] = [
            (&[[3, 2]], false, ""),
            (&[[2, 2], [1, 1], [1, 1]], true, ""),
            (&[[4, 1], [1, 1], [2, 1]], true, ""),
            (&[[1, 1], [2, 1], [1, 1]], false, ""),
            (&[[1, 1], [2, 1], [1, 1]], true, "finer"),
            (&[[3, 1], [2, 1], [1, 1]], true, "no whole ratio (3x1, 2x1, 1x1)"),
            (&[[2, 2]; 4], false, ""),
            (&[[2, 2], [1, 1], [1, 1], [2, 2]], false, "unevenly"),
            (&[[1, 1], [1, 1], [1, 1], [2, 1]], false, "unevenly"),
            (&[[0, 1], [1, 1], [1, 1]], false, "no whole ratio"),
            (&[[1, 1], [1, 1]], false, "2 components"),
        ];
        let wrong: Vec<_> = table
            .iter()
            .filter_map(|(sampling, ycc, expected)| {
                let found = check(sampling, *ycc).err().unwrap_or_default();
                let right = found.contains(expected) && found.is_empty() == expected.is_empty();
                (!right).then(|| format!("{sampling:?}: {found:?}"))
            })
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
