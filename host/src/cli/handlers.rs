//! `flowmonkey handlers`: handlers of the database, pushed once and run by a whole fleet.

mod pull;
mod push;
mod show;

pub(super) use push::unmentioned_grants;

use super::connect::Target;
use super::{BadInput, Exit, table, view};
use flowmonkey_jobs::store::{Activation, HandlerFault, SharedStore};
use serde_json::json;

#[derive(Debug, clap::Subcommand)]
pub(super) enum HandlersCommand {
    /// Check a handler, put it into the database, and let every runner swap it in
    ///
    /// SOURCE is a folder with a handler.toml, a component (NAME.wasm), or an artifact in a registry
    /// (oci://HOST/REPOSITORY:TAG or @sha256:DIGEST). What is wrong with it is told, and nothing changes then.
    Push(Box<push::PushArgs>),
    /// List the handlers of the database
    List,
    /// Show a handler: its versions, who changed what, and which runner runs which version
    Show {
        /// The handler's name
        name: String,
    },
    /// Let new claims use a version that was pushed before
    Activate {
        /// The handler's name
        name: String,
        /// The version
        version: String,
        /// For so many percent of the jobs only; the active version stays for the others
        #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=99))]
        canary: Option<u8>,
        #[command(flatten)]
        actor: Actor,
    },
    /// Make the canary the active version
    Promote {
        /// The handler's name
        name: String,
        #[command(flatten)]
        actor: Actor,
    },
    /// End the canary; all jobs use the active version again
    Abort {
        /// The handler's name
        name: String,
        #[command(flatten)]
        actor: Actor,
    },
    /// Activate the version before the active one, of those that were active
    Rollback {
        /// The handler's name
        name: String,
        #[command(flatten)]
        actor: Actor,
    },
    /// Let a handler's jobs stay pending for now; those that run go on
    Pause {
        /// The handler's name
        name: String,
        #[command(flatten)]
        actor: Actor,
    },
    /// Let a paused handler's jobs run again
    Resume {
        /// The handler's name
        name: String,
        #[command(flatten)]
        actor: Actor,
    },
    /// Remove a version, or a handler with all its versions
    Remove {
        /// The handler's name
        name: String,
        /// Only this version
        version: Option<String>,
        /// Also while jobs of the handler have not ended; they stay pending until it is pushed again
        #[arg(long, conflicts_with = "version")]
        force: bool,
        #[command(flatten)]
        actor: Actor,
    },
    /// Write a version's files into a folder, from the database or a registry
    Pull(pull::PullArgs),
}

/// Who changes something; it is kept in the handler's trail.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Actor {
    /// Who says so, for the handler's trail [default: this user on this machine]
    #[arg(long, value_name = "NAME", env = "FLOWMONKEY_ACTOR")]
    by: Option<String>,
}

impl Actor {
    fn name(&self) -> String {
        if let Some(name) = &self.by {
            return name.clone();
        }
        let user = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
        let user = user.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()));
        // As Linux has it; elsewhere as the shell does.
        let machine =
            std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::env::var("HOSTNAME"));
        match machine {
            Ok(machine) => format!("{user}@{}", machine.trim()),
            Err(_) => user,
        }
    }
}

pub(super) async fn handlers(command: HandlersCommand, target: &Target, json: bool) -> anyhow::Result<Exit> {
    use HandlersCommand as C;
    let done = match command {
        C::Push(args) => return push::push(*args, target, json).await,
        C::Pull(args) => return pull::pull(args, target, json).await,
        C::List => return show::list(&target.open(1).await?, json).await,
        C::Show { name } => return show::show(&target.open(1).await?, &name, json).await,
        C::Activate { name, version, canary, actor } => {
            let activation = canary.map_or(Activation::All, Activation::Canary);
            let store = target.open(1).await?;
            let activated = store.activate(&name, &version, activation, &actor.name()).await;
            activated.map(|()| Done {
                changed: true,
                version: Some(version),
                what: activated_as(activation),
                name,
            })
        }
        C::Promote { name, actor } => {
            let version = target.open(1).await?.promote_canary(&name, &actor.name()).await;
            version.map(|version| Done::of(name, Some(version), "is active for all jobs"))
        }
        C::Abort { name, actor } => {
            let version = target.open(1).await?.abort_canary(&name, &actor.name()).await;
            version.map(|version| Done::of(name, Some(version), "is not used any more"))
        }
        C::Rollback { name, actor } => {
            let version = target.open(1).await?.roll_back(&name, &actor.name()).await;
            version.map(|version| Done::of(name, Some(version), "is active again"))
        }
        C::Pause { name, actor } => pause(&target.open(1).await?, name, true, &actor).await,
        C::Resume { name, actor } => pause(&target.open(1).await?, name, false, &actor).await,
        C::Remove { name, version, force, actor } => {
            remove(&target.open(1).await?, name, version, force, &actor.name()).await
        }
    };
    done.map_or_else(fault, |done| done.tell(json))
}

fn activated_as(activation: Activation) -> String {
    match activation {
        Activation::All => "is active".into(),
        Activation::Canary(percent) => {
            format!("is used for {percent} % of the jobs; `handlers promote` or `handlers abort` ends that")
        }
    }
}

async fn pause(store: &SharedStore, name: String, paused: bool, actor: &Actor) -> Result<Done, HandlerFault> {
    let changed = store.set_handler_paused(&name, paused, &actor.name()).await?;
    let what = match (paused, changed) {
        (true, true) => "is paused: its jobs stay pending",
        (true, false) => "was paused before",
        (false, true) => "goes on",
        (false, false) => "was not paused",
    };
    Ok(Done { changed, version: None, what: what.into(), name })
}

async fn remove(
    store: &SharedStore,
    name: String,
    version: Option<String>,
    force: bool,
    actor: &str,
) -> Result<Done, HandlerFault> {
    match &version {
        Some(version) => store.remove_version(&name, version, actor).await?,
        None => store.remove_handler(&name, force, actor).await?,
    }
    Ok(Done::of(name, version, "is removed"))
}

/// What a command did.
struct Done {
    name: String,
    version: Option<String>,
    changed: bool,
    what: String,
}

impl Done {
    fn of(name: String, version: Option<String>, what: &str) -> Self {
        Done { name, version, changed: true, what: what.into() }
    }

    fn tell(self, json: bool) -> anyhow::Result<Exit> {
        let Done { name, version, changed, what } = self;
        if json {
            view::print(&json!({ "handler": name, "version": version, "changed": changed }))?;
        } else {
            let version = version.map(|version| format!(" version {version}")).unwrap_or_default();
            say!("{}", table::printable(&format!("{name}{version} {what}")));
        }
        Ok(Exit::Done)
    }
}

/// What was refused, by the exit code that fits.
fn fault(fault: HandlerFault) -> anyhow::Result<Exit> {
    let exit = match &fault {
        HandlerFault::Store(_) => {
            let HandlerFault::Store(error) = fault else { return Ok(Exit::Failed) };
            return Err(error.into());
        }
        HandlerFault::UnknownHandler(_) | HandlerFault::UnknownVersion { .. } => Exit::NotFound,
        HandlerFault::VersionTaken { .. } => return Err(BadInput(fault.to_string()).into()),
        HandlerFault::NothingBeside(_)
        | HandlerFault::NoCanary(_)
        | HandlerFault::NothingOlder(_)
        | HandlerFault::InUse { .. } => Exit::Failed,
    };
    remark!("flowmonkey: {}", table::printable(&fault.to_string()));
    Ok(exit)
}
