//! Sorting, small: one sort of numbers serves every type. The standard library's is made anew for each type and
//! each order, which came to 0.12 MB of this program.

use std::cmp::Ordering;

/// Stable, as `slice::sort_by`.
pub fn by<T>(items: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    let mut order = by_number(items.len(), &|a, b| compare(&items[a], &items[b]));
    // Each cycle of the order is walked once, and what stands in it moves up by one.
    for start in 0..items.len() {
        let mut at = start;
        loop {
            let from = std::mem::replace(&mut order[at], at);
            if from == start || from == at {
                break;
            }
            items.swap(at, from);
            at = from;
        }
    }
}

pub fn by_key<T, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K) {
    by(items, |a, b| key(a).cmp(&key(b)));
}

pub fn natural<T: Ord>(items: &mut [T]) {
    by(items, T::cmp);
}

/// Into a map or a set, one by one: `collect` sorts first, by a sort of its own for each type.
pub fn into<T, C: Default + Extend<T>>(items: impl Iterator<Item = T>) -> C {
    let mut all = C::default();
    items.for_each(|item| all.extend(Some(item)));
    all
}

/// The numbers below `count` in the order of what they stand for.
fn by_number(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|a, b| compare(*a, *b));
    order
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_is_the_order_of_the_standard_library() {
        // A sequence without a pattern; keys that repeat show whether it is stable.
        let mut state = 1u32;
        for length in 0..60 {
            let mut items: Vec<(u32, usize)> = (0..length)
                .map(|place| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 28, place)
                })
                .collect();
            let mut wanted = items.clone();
            wanted.sort_by_key(|item| item.0);
            super::by_key(&mut items, |item| item.0);
            assert_eq!(items, wanted);
        }
    }
}
