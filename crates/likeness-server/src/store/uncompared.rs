//! Templates that the index can't compare, counted by tenant. Touches nothing.

use std::collections::HashMap;

use super::person::{NotCompared, Tenant};

/// The counts, and what each person adds to them.
#[derive(Default)]
pub struct Uncompared {
    persons: HashMap<i64, (Tenant, NotCompared)>,
    tenants: HashMap<Tenant, NotCompared>,
}

impl Uncompared {
    /// Of a tenant.
    pub fn of(&self, tenant: &Tenant) -> NotCompared {
        self.tenants.get(tenant).copied().unwrap_or_default()
    }

    /// Counts a person's, in the place of those before.
    pub fn put(&mut self, tenant: &Tenant, person: i64, found: NotCompared) {
        self.remove(person);
        if found.templates() > 0 {
            self.tenants.entry(tenant.clone()).or_default().add(found);
            self.persons.insert(person, (tenant.clone(), found));
        }
    }

    /// Forgets a person's.
    pub fn remove(&mut self, person: i64) {
        let Some((tenant, found)) = self.persons.remove(&person) else { return };
        if let Some(total) = self.tenants.get_mut(&tenant) {
            total.remove(found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_what_each_person_last_had() {
        let [a, b] = ["a", "b"].map(|id| Tenant::new(id).unwrap());
        let other = |other_space| NotCompared { other_space, no_direction: 0 };
        let mut counts = Uncompared::default();
        counts.put(&a, 1, other(3));
        counts.put(&a, 2, other(1));
        counts.put(&b, 3, other(5));
        assert_eq!((counts.of(&a), counts.of(&b)), (other(4), other(5)));
        counts.put(&a, 1, other(0));
        counts.remove(3);
        counts.remove(9);
        assert_eq!((counts.of(&a), counts.of(&b)), (other(1), other(0)));
    }
}
