//! Makes the keys of a development mesh and signs access tokens with them.

use std::error::Error;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Parser, Subcommand, ValueEnum};
use mesh::config::EXIT_USAGE;
use mesh::identity::{Claims, Role, SigningKey};
use mesh::{clock, id, random};
use serde_json::json;
use uuid::Uuid;

/// Longest life of a token: a development token left in a shell history should die by itself.
const TTL_HOURS_MAX: u32 = 24 * 30;

/// Keys and access tokens for a development mesh.
#[derive(Parser)]
#[command(name = "usher-token", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Makes signing.pem, jwks.json, ticket-keys.json and queue-keys.json where they are missing; what exists is kept.
    Init {
        /// Folder of the keys.
        #[arg(long)]
        dir: PathBuf,
    },
    /// Prints an access token.
    Issue {
        /// Folder of the keys.
        #[arg(long)]
        dir: PathBuf,
        /// Account the token stands for.
        #[arg(long)]
        sub: Uuid,
        /// Role; may be given several times.
        #[arg(long, value_enum, default_value = "USER")]
        role: Vec<RoleName>,
        /// Hours until it expires.
        #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=i64::from(TTL_HOURS_MAX)))]
        ttl_hours: u32,
        /// Issuer.
        #[arg(long, default_value = "usher-dev")]
        issuer: String,
        /// Audience.
        #[arg(long, default_value = "usher")]
        audience: String,
    },
}

#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "UPPER")]
enum RoleName {
    User,
    Seller,
    Admin,
}

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is a command for a terminal"
)]
fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print(); // nothing is left to say when the terminal is gone
            return ExitCode::from(if error.use_stderr() { EXIT_USAGE } else { 0 });
        }
    };
    match run(arguments.command) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("usher-token: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<String, Box<dyn Error>> {
    match command {
        Command::Init { dir } => init(&dir),
        Command::Issue {
            dir,
            sub,
            role,
            ttl_hours,
            issuer,
            audience,
        } => {
            let pem = fs::read_to_string(dir.join("signing.pem")).map_err(|error| {
                format!(
                    "{} cannot be read ({error}); run: usher-token init --dir {}",
                    dir.display(),
                    dir.display()
                )
            })?;
            let now = clock::now().timestamp();
            let claims = Claims {
                iss: issuer,
                aud: audience,
                sub,
                roles: role.into_iter().map(role_of).collect(),
                scope: String::new(),
                iat: now,
                exp: now + i64::from(ttl_hours) * 3600,
                jti: id::new().to_string(),
            };
            Ok(SigningKey::from_pem(&pem)?.sign(&claims)?)
        }
    }
}

fn role_of(name: RoleName) -> Role {
    match name {
        RoleName::User => Role::User,
        RoleName::Seller => Role::Seller,
        RoleName::Admin => Role::Admin,
    }
}

fn init(dir: &Path) -> Result<String, Box<dyn Error>> {
    fs::create_dir_all(dir)?;
    let pem = dir.join("signing.pem");
    if !pem.exists() {
        create(&pem, &SigningKey::generate()?.to_pem())?;
    }
    let key = SigningKey::from_pem(&fs::read_to_string(&pem)?)?;
    fs::write(dir.join("jwks.json"), key.to_jwks())?;
    for ring in ["ticket-keys.json", "queue-keys.json"] {
        let key = json!({
            "key_id": 1,
            "seed": STANDARD.encode(random::bytes::<32>()),
            "valid_from_time": clock::now().to_rfc3339(),
            "valid_until_time": null,
        });
        let text = format!("{:#}\n", json!({ "keys": [key] }));
        create(&dir.join(ring), &text)?;
    }
    Ok(format!("keys are in {}", dir.display()))
}

/// Writes a secret that only its owner can read. A file that exists is kept: its tickets and tokens are out in the world.
fn create(path: &Path, text: &str) -> Result<(), Box<dyn Error>> {
    let open = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match open {
        Ok(mut file) => Ok(file.write_all(text.as_bytes())?),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(format!("{} cannot be written: {error}", path.display()).into()),
    }
}
