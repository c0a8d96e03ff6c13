use wasmparser::{
    BinaryReader, ComponentAlias, ComponentExternName, ComponentImport, ComponentType, ComponentTypeRef,
    CoreType, InstanceTypeDeclaration, Result,
};

/// How deep types may be written into each other. Toolchains write two or three.
pub(super) const TYPE_DEPTH_MAX: usize = 100;

const NESTED: std::ops::RangeInclusive<u8> = 0x41..=0x42;
const CORE_TYPE: u8 = 0;
const TYPE: u8 = 1;
const ALIAS: u8 = 2;
const IMPORT: u8 = 3;
const EXPORT: u8 = 4;

/// What a section of component types holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// It goes deeper than [`TYPE_DEPTH_MAX`]; what is below was not read.
    pub(super) too_deep: bool,
    /// Imports and exports of instances within types, each of which may be a copy of a type.
    pub(super) instances: u64,
}

/// Looks through a section of component types without recursion. wasmparser's own reader, and so wasmtime's,
/// recurses as deep as the file says: three bytes a level, until the stack overflows and the process aborts.
pub(super) fn scan(section: &[u8], offset: usize) -> Result<Held> {
    let mut reader = BinaryReader::new(section, offset);
    let mut held = Held::default();
    // Of each type that was begun: how many of its declarations are still to come.
    let mut begun = vec![reader.read_var_u32()?];
    while let Some(left) = begun.last_mut() {
        if *left == 0 {
            begun.pop();
            continue;
        }
        *left -= 1;
        let outermost = begun.len() == 1;
        let before = reader.clone();
        match if outermost { TYPE } else { reader.read_u8()? } {
            CORE_TYPE => {
                reader.read::<CoreType<'_>>()?;
            }
            TYPE => {
                let mut ahead = reader.clone();
                if NESTED.contains(&ahead.read_u8()?) {
                    if begun.len() > TYPE_DEPTH_MAX {
                        held.too_deep = true;
                        return Ok(held);
                    }
                    begun.push(ahead.read_var_u32()?);
                    reader = ahead;
                } else {
                    reader.read::<ComponentType<'_>>()?;
                }
            }
            ALIAS => {
                reader.read::<ComponentAlias<'_>>()?;
            }
            IMPORT => held.count(reader.read::<ComponentImport<'_>>()?.ty),
            EXPORT => {
                reader.read::<ComponentExternName<'_>>()?;
                held.count(reader.read()?);
            }
            _ => {
                // Only for its message: this is no declaration.
                reader = before;
                reader.read::<InstanceTypeDeclaration<'_>>()?;
            }
        }
    }
    Ok(held)
}

impl Held {
    fn count(&mut self, kind: ComponentTypeRef) {
        self.instances +=
            u64::from(matches!(kind, ComponentTypeRef::Instance(_) | ComponentTypeRef::Component(_)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(levels: usize) -> Vec<u8> {
        let mut section = vec![1];
        for _ in 1..levels {
            section.extend([0x42, 1, TYPE]);
        }
        section.extend([0x42, 0]);
        section
    }

    #[test]
    fn depth_is_bounded_whatever_the_file_says() {
        for (levels, too_deep) in
            [(1, false), (TYPE_DEPTH_MAX, false), (TYPE_DEPTH_MAX + 1, true), (1 << 20, true)]
        {
            let held = scan(&nested(levels), 0).unwrap();
            assert_eq!(held, Held { too_deep, instances: 0 }, "{levels}");
        }
    }

    #[test]
    fn what_is_no_section_of_types_is_an_error() {
        let mut whole = nested(5);
        for length in 0..whole.len() {
            assert!(scan(&whole[..length], 0).is_err(), "{length}");
        }
        let at = whole.len() - 3;
        whole[at] = 0x7f;
        let error = scan(&whole, 0).unwrap_err().to_string();
        assert!(error.contains("instance type declaration"), "{error}");
    }

    #[test]
    fn instances_within_types_are_counted() {
        let export = |kind| vec![1, 0x42, 2, TYPE, 0x42, 0, EXPORT, 0, 1, b'a', kind, 0];
        assert_eq!(scan(&export(5), 0).unwrap().instances, 1);
        assert_eq!(scan(&export(1), 0).unwrap().instances, 0);
    }
}
