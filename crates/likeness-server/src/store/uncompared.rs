//! Counts by tenant the templates that the index can't compare.

use std::collections::HashMap;

use super::person::{NotCompared, Tenant};

/// The counts of each tenant, and each person's share.
#[derive(Default)]
pub struct Uncompared {
    persons: HashMap<i64, (Tenant, NotCompared)>,
    tenants: HashMap<Tenant, NotCompared>,
}

impl Uncompared {
    /// Returns the counts of a tenant.
    pub fn of(&self, tenant: &Tenant) -> NotCompared {
        self.tenants.get(tenant).copied().unwrap_or_default()
    }

    /// Replaces a person's counts.
    pub fn put(&mut self, tenant: &Tenant, person: i64, found: NotCompared) {
        self.remove(person);
        if found.templates() > 0 {
            self.tenants.entry(tenant.clone()).or_default().add(found);
            self.persons.insert(person, (tenant.clone(), found));
        }
    }

    /// Removes a person's counts.
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
