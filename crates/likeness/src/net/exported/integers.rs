//! Tensors of integers, with which exported graphs compute shapes and positions, for a batch of one picture.

/// The most integers that a tensor may have.
const MOST: usize = 1 << 12;

/// A tensor of integers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Integers {
    pub(super) dims: Vec<usize>,
    pub(super) all: Vec<i64>,
}

impl Integers {
    pub(super) fn list(all: Vec<i64>) -> Self {
        Self { dims: vec![all.len()], all }
    }

    pub(super) fn with(dims: Vec<usize>, all: Vec<i64>) -> Option<Self> {
        let count = dims.iter().try_fold(1usize, |count, n| count.checked_mul(*n));
        (count == Some(all.len()) && all.len() <= MOST).then_some(Self { dims, all })
    }

    /// The number, if the tensor has exactly one.
    pub(super) fn only(&self) -> Option<i64> {
        if let [only] = self.all[..] { Some(only) } else { None }
    }

    /// Returns whether the numbers are 0, 1, 2, … up to this end.
    pub(super) fn counts_to(&self, end: usize) -> bool {
        self.all.len() == end && self.all.iter().enumerate().all(|(index, n)| usize::try_from(*n) == Ok(index))
    }

    /// The numbers at these places of a list.
    pub(super) fn gather(&self, places: &Self) -> Option<Self> {
        let at = |place: &i64| {
            let from_end = i64::try_from(self.all.len()).ok()?.checked_add(*place)?;
            let place = if *place < 0 { from_end } else { *place };
            self.all.get(usize::try_from(place).ok()?).copied()
        };
        let all = places.all.iter().map(at).collect::<Option<Vec<_>>>()?;
        if self.dims.len() == 1 { Self::with(places.dims.clone(), all) } else { None }
    }

    /// start, start + step, … below end.
    pub(super) fn range(start: i64, end: i64, step: i64) -> Option<Self> {
        let step = usize::try_from(step).ok().filter(|step| *step > 0)?;
        let all: Vec<i64> = (start..end).step_by(step).take(MOST + 1).collect();
        Self::with(vec![all.len()], all)
    }

    /// Lists one after the other.
    pub(super) fn concat(parts: &[Self]) -> Option<Self> {
        let lists = parts.iter().all(|part| part.dims.len() == 1);
        let all: Vec<i64> = parts.iter().flat_map(|part| part.all.iter().copied()).take(MOST + 1).collect();
        if lists { Self::with(vec![all.len()], all) } else { None }
    }

    /// Applies a function number by number; one of the two may have a single number.
    pub(super) fn each(&self, other: &Self, both: impl Fn(i64, i64) -> Option<i64>) -> Option<Self> {
        let (long, short) = if self.all.len() >= other.all.len() { (self, other) } else { (other, self) };
        let single = short.only()?;
        let all = long.all.iter().map(|number| both(*number, single)).collect::<Option<Vec<_>>>()?;
        let mut dims = vec![1; short.dims.len().saturating_sub(long.dims.len())];
        dims.extend(&long.dims);
        Self::with(dims, all)
    }
}

/// Axes as places among `rank` dimensions, in order, each once.
pub(super) fn axes(named: &[i64], rank: usize) -> Option<Vec<usize>> {
    let place = |axis: &i64| {
        let from_end = i64::try_from(rank).ok()?.checked_add(*axis)?;
        usize::try_from(if *axis < 0 { from_end } else { *axis }).ok().filter(|place| *place < rank)
    };
    let mut places = named.iter().map(place).collect::<Option<Vec<_>>>()?;
    places.sort_unstable();
    let count = places.len();
    places.dedup();
    (places.len() == count).then_some(places)
}

/// The dimensions without these axes, each of which is 1.
pub(super) fn squeezed(dims: &[usize], named: &[i64]) -> Option<Vec<usize>> {
    let gone = axes(named, dims.len())?;
    let right = gone.iter().all(|axis| dims[*axis] == 1);
    let left = dims.iter().enumerate().filter(|(axis, _)| !gone.contains(axis));
    right.then(|| left.map(|(_, n)| *n).collect())
}

/// The dimensions with a 1 at each of these axes.
pub(super) fn unsqueezed(dims: &[usize], named: &[i64]) -> Option<Vec<usize>> {
    let rank = dims.len() + named.len();
    let added = axes(named, rank)?;
    let mut old = dims.iter();
    (0..rank).map(|axis| if added.contains(&axis) { Some(1) } else { old.next().copied() }).collect()
}

/// The dimensions that a list requests: one -1 means the rest, 0 the existing dimension.
pub(super) fn reshaped(dims: &[usize], wanted: &[i64], zero_is_zero: bool) -> Option<Vec<usize>> {
    let count = dims.iter().try_fold(1usize, |count, n| count.checked_mul(*n))?;
    let known = |(axis, n): (usize, &i64)| match *n {
        -1 => Some(None),
        0 if !zero_is_zero => dims.get(axis).map(|n| Some(*n)),
        n => usize::try_from(n).ok().map(Some),
    };
    let found = wanted.iter().enumerate().map(known).collect::<Option<Vec<_>>>()?;
    let product = found.iter().flatten().try_fold(1usize, |count, n| count.checked_mul(*n))?;
    let open = found.iter().filter(|n| n.is_none()).count();
    let rest = count.checked_div(product)?;
    let right = open <= 1 && product.checked_mul(if open == 1 { rest } else { 1 })? == count;
    right.then(|| found.into_iter().map(|n| n.unwrap_or(rest)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_those_that_onnx_says() {
        assert_eq!(reshaped(&[1, 512, 1, 1], &[1, -1], false), Some(vec![1, 512]));
        assert_eq!(reshaped(&[1, 512, 1, 1], &[0, -1], false), Some(vec![1, 512]));
        assert_eq!(reshaped(&[1, 512, 1, 1], &[-1], false), Some(vec![512]));
        for wrong in [&[-1, -1][..], &[2, 255], &[0, 0, 0, 0, 0], &[-2], &[3, -1]] {
            assert_eq!(reshaped(&[1, 512, 1, 1], wrong, false), None, "{wrong:?}");
        }
        assert_eq!(reshaped(&[1, 512], &[0, -1], true), None);
        assert_eq!(squeezed(&[1, 5, 1, 1], &[-1, 2]), Some(vec![1, 5]));
        assert_eq!(squeezed(&[1, 5, 1, 1], &[1]), None);
        assert_eq!(squeezed(&[1, 5], &[2]), None);
        assert_eq!(unsqueezed(&[5], &[1, 2]), Some(vec![5, 1, 1]));
        assert_eq!(unsqueezed(&[5], &[0, 0]), None);
    }

    #[test]
    fn places_are_computed_as_onnx_does() {
        let list = Integers::list(vec![4, 5, 6]);
        assert_eq!(list.gather(&Integers::list(vec![-1, 0])), Some(Integers::list(vec![6, 4])));
        assert_eq!(list.gather(&Integers::list(vec![3])), None);
        assert_eq!(Integers::range(0, 3, 1), Some(Integers::list(vec![0, 1, 2])));
        assert_eq!(Integers::range(0, i64::MAX, 1), None);
        assert_eq!(Integers::range(0, 3, 0), None);
        assert!(Integers::range(0, 3, 1).unwrap().counts_to(3));
        let added = list.each(&Integers::with(vec![1, 1], vec![1]).unwrap(), i64::checked_add);
        assert_eq!(added, Integers::with(vec![1, 3], vec![5, 6, 7]));
        assert_eq!(list.each(&Integers::list(vec![i64::MAX]), i64::checked_add), None);
        assert_eq!(list.each(&list, i64::checked_add), None);
    }
}
