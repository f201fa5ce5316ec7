//! Attack: a name that the program opens is a FIFO, a device, a socket, a directory, an endless or a sparse
//! file. Each is refused before a byte is read, and a boot that does not need the file continues.

use std::fs;
use std::process::Command;

use testkit::line::words;
use testkit::odd_files::{KINDS, place, remove};

use crate::support::{PAIR, TREE, World, is_root, program, stderr};

/// A file's name in the world, the command that opens it (`@` is the world, `%` the key), and the allowed exit codes.
type Role = (&'static str, &'static str, &'static [i32]);

const ROLES: &[Role] = &[
    ("other.lock", "verify --lock @/other.lock", &[10]),
    ("other.lock", "run --lock @/other.lock --report @/report.json -- /bin/true", &[10]),
    ("weights.lock.minisig", "verify --require-signature %", &[40]),
    ("key.pub", "verify --require-signature @/key.pub", &[2, 40]),
    ("serial", "heal --require-signature % --serial-file @/serial --report @/report.json", &[40, 41]),
    ("baked/.ballast/weights.index", "heal --report @/report.json", &[0]),
    ("baked/.ballast/weights.index", "doctor", &[0, 18]),
    ("cache/TREE/large.bin", "heal --report @/report.json", &[0]),
    ("cache/TREE/large.bin", "verify", &[0, 14]),
    ("receipts/receipts.json", "heal --trust receipt --receipts @/receipts/receipts.json --report @/report.json", &[0]),
    ("other.json", "status --report @/other.json", &[0, 14]),
    ("compose.yaml", "doctor @/compose.yaml", &[2]),
    ("tokens", "fetch --mirror @/source --into @/fetched", &[0, 2]),
    ("docker/config.json", "pull --retries 0 oci://127.0.0.1:1/x/y:z", &[2, 17]),
    ("ca.pem", "fetch --mirror @/source --into @/fetched --ca-file @/ca.pem", &[2]),
    ("image.toml", "export --from @/source --image=@/image.toml @/out.tar", &[2]),
    ("models.tar", "import --into @/imported @/models.tar", &[17]),
    ("weight.bin", "pin --lock @/new.lock --store /srv/m --into @/into @/weight.bin", &[17]),
    ("folder/weight.bin", "adopt --lock @/new.lock --store /srv/m @/folder", &[0, 14]),
    ("from/large.bin", "bake --from @/from @/layer", &[14]),
    ("from/large.bin", "export --from @/from @/out.tar", &[14]),
];

/// A minisign public key that signed no file here.
const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

#[test]
fn what_is_no_plain_file_hangs_no_command_and_is_read_by_none() {
    let test = "what_is_no_plain_file_hangs_no_command_and_is_read_by_none";
    if !is_root(test) {
        return;
    }
    let world = World::new(&PAIR);
    let index = fs::read(world.path("baked/.ballast/weights.index")).unwrap();
    let root = world.dir.path().display().to_string();
    let mut wrong = Vec::new();
    for (name, line, codes) in ROLES {
        for kind in KINDS {
            if *kind == "sparse" && name.starts_with("folder") {
                // A weight without a pin may have any length, and would be read completely.
                continue;
            }
            let at = world.path(&name.replace("TREE", TREE));
            place(kind, &at);
            let words = words(line, &[('%', KEY), ('@', &root)]);
            let mut command = Command::new("timeout");
            command.args(["--signal=KILL", "60"]).arg(program()).args(words);
            command.env("BALLAST_LOCK", world.lock()).env("BALLAST_TOKENS_FILE", world.path("tokens"));
            command.env("DOCKER_CONFIG", world.path("docker")).env_remove("BALLAST_MIRRORS");
            if !name.contains("tokens") {
                command.env_remove("BALLAST_TOKENS_FILE");
            }
            if line.contains("--lock") {
                command.env_remove("BALLAST_LOCK");
            }
            let output = command.output().unwrap();
            if !output.status.code().is_some_and(|code| codes.contains(&code)) {
                wrong.push(format!("{line}: {kind}: {}, {}", output.status, stderr(&output)));
            }
            remove(&at);
            let _ = fs::remove_file(world.path("new.lock"));
        }
        if name.contains("index") {
            fs::write(world.path("baked/.ballast/weights.index"), &index).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
