//! FAILOVER: writes wait until a replica has everything, then it becomes the primary and we its replica.

use super::{
    Command, Ctx,
    command::{Group, categories, command, flags::*},
    context::errors,
    upstream::{abort_failover, follow},
};
use crate::{
    data::number,
    keyspace::ExpireMode,
    replication::failover::{Failover, Step},
    state::{Client, ClientKind, Server},
};

/// What FAILOVER is asked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wish {
    timeout_ms: Option<i64>,
    target: Option<(String, i64)>,
    force: bool,
}

impl Wish {
    /// The error's text, when the words say nothing that can be wished for.
    fn parse(words: &[&[u8]]) -> Result<Self, &'static str> {
        let mut wish = Self::default();
        let mut rest = words;
        while let Some((word, behind)) = rest.split_first() {
            let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            rest = match behind {
                [ms, rest @ ..] if is("timeout") && wish.timeout_ms.is_none() => {
                    let ms = number::parse_i64(ms).ok_or(errors::NOT_INTEGER)?;
                    if ms <= 0 {
                        return Err("ERR FAILOVER timeout must be greater than 0");
                    }
                    wish.timeout_ms = Some(ms);
                    rest
                }
                [host, port, rest @ ..] if is("to") && wish.target.is_none() => {
                    let port = number::parse_i64(port).ok_or(errors::NOT_INTEGER)?;
                    wish.target = Some((String::from_utf8_lossy(host).into_owned(), port));
                    rest
                }
                rest if is("force") && !wish.force => {
                    wish.force = true;
                    rest
                }
                _ => return Err(errors::SYNTAX),
            };
        }
        Ok(wish)
    }
}

/// The address by which a replica is known: what it says, or what it comes from.
fn address(client: &Client) -> Option<(&str, i64)> {
    let link = client.replica.as_deref().filter(|_| client.kind == ClientKind::Replica && !client.monitor)?;
    let host = link.address.as_deref().or_else(|| client.peer.addr.rsplit_once(':').map(|(host, _)| host))?;
    Some((host.trim_start_matches('[').trim_end_matches(']'), link.listening_port))
}

fn find<'a>(server: &'a Server, host: &str, port: i64) -> Option<&'a Client> {
    server.clients.iter().map(|(_, c)| c).find(|c| address(c).is_some_and(|(h, p)| p == port && h.eq_ignore_ascii_case(host)))
}

fn is_in_step(server: &Server, client: &Client) -> bool {
    client.replica.as_ref().is_some_and(|link| link.has(server.replication.log.end()))
}

fn failover(ctx: &mut Ctx) {
    if ctx.server.config.cluster_enabled {
        return ctx.error("ERR FAILOVER not allowed in cluster mode. Use CLUSTER FAILOVER command instead.");
    }
    if ctx.argc() == 2 && ctx.is_word(1, "abort") {
        if ctx.server.replication.failover.is_none() {
            return ctx.error("ERR No failover in progress.");
        }
        abort_failover(ctx.server, "Failover manually aborted");
        return ctx.out.ok();
    }
    let words: Vec<&[u8]> = ctx.args.skip(1).iter().collect();
    let wish = match Wish::parse(&words) {
        Ok(wish) => wish,
        Err(text) => return ctx.error(text),
    };
    let server = &mut *ctx.server;
    if server.replication.failover.is_some() {
        return ctx.error("ERR FAILOVER already in progress.");
    }
    if server.replication.upstream.is_some() {
        return ctx.error("ERR FAILOVER is not valid when server is a replica.");
    }
    if !server.clients.iter().any(|(_, c)| address(c).is_some()) {
        return ctx.error("ERR FAILOVER requires connected replicas.");
    }
    if wish.force && (wish.timeout_ms.is_none() || wish.target.is_none()) {
        return ctx.error("ERR FAILOVER with force option requires both a timeout and target HOST and IP.");
    }
    let mut target = None;
    if let Some((host, port)) = wish.target {
        match find(server, &host, port) {
            None => return ctx.error("ERR FAILOVER target HOST and PORT is not a replica."),
            Some(client) if !client.replica.as_ref().is_some_and(|link| link.is_online()) => {
                return ctx.error("ERR FAILOVER target replica is not online.");
            }
            Some(_) => target = u16::try_from(port).ok().map(|port| (host, port)),
        }
    }
    match &target {
        Some((host, port)) => log::info!("FAILOVER requested to {host}:{port}."),
        None => log::info!("FAILOVER requested to any replica."),
    }
    // What it deletes is to be on its way before the replicas are waited for.
    server.interrupt_migration();
    let until_ms = wish.timeout_ms.map(|ms| server.unix_ms().saturating_add(ms));
    server.replication.failover = Some(Failover { step: Step::WaitForSync, target, until_ms, force: wish.force });
    // No key may go meanwhile either: it would be one more write.
    server.keyspace.expire_mode = ExpireMode::Hide;
    ctx.out.ok();
}

/// Looks whether a failover can go on, or has to end. To be called now and then.
pub fn advance(server: &mut Server) {
    let Some(failover) = server.replication.failover.clone().filter(|f| f.step == Step::WaitForSync) else { return };
    if failover.until_ms.is_some_and(|until| until <= server.unix_ms()) {
        match failover.target {
            Some((host, port)) if failover.force => {
                log::info!("FAILOVER to {host}:{port} time out exceeded, failing over.");
                hand_over(server, host, port);
            }
            _ => abort_failover(server, "Replica never caught up before timeout"),
        }
        return;
    }
    let in_step = match &failover.target {
        Some((host, port)) => find(server, host, i64::from(*port)).filter(|client| is_in_step(server, client)),
        None => server.clients.iter().map(|(_, c)| c).find(|client| is_in_step(server, client)),
    };
    if let Some((host, port)) = in_step.and_then(address)
        && let Ok(port) = u16::try_from(port)
    {
        let host = host.to_owned();
        log::info!("Failover target {host}:{port} is synced, failing over.");
        hand_over(server, host, port);
    }
}

fn hand_over(server: &mut Server, host: String, port: u16) {
    if let Some(failover) = server.replication.failover.as_mut() {
        failover.step = Step::InProgress;
        failover.target = Some((host.clone(), port));
    }
    follow(server, host, port);
    if let Some(upstream) = server.replication.upstream.as_mut() {
        upstream.failover = true;
    }
}

/// The rows of this group.
pub const COMMANDS: &[Command] = &[command("failover", failover, -1, ADMIN | NOSCRIPT | STALE)
    .since(Group::Server, "6.2.0")
    .doc("Hands the primary's role to a replica that has every write, or to the one that is named.", "O(1)")
    .categories(categories::ADMIN | categories::DANGEROUS)
    .args("[TO target:(host port:integer [FORCE])] [ABORT] [TIMEOUT milliseconds:integer]")];

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Result<Wish, &'static str> {
        Wish::parse(&words.split_whitespace().map(str::as_bytes).collect::<Vec<_>>())
    }

    #[test]
    fn what_can_be_wished_for() {
        assert_eq!(parse(""), Ok(Wish::default()));
        let all = Wish { timeout_ms: Some(5), target: Some(("h".into(), 7)), force: true };
        assert_eq!(parse("TO h 7 FORCE timeout 5"), Ok(all));
        assert_eq!(parse("timeout 0"), Err("ERR FAILOVER timeout must be greater than 0"));
        assert_eq!(parse("timeout x"), Err(errors::NOT_INTEGER));
        for wrong in ["timeout", "to h", "force force", "abort now", "to h 1 to h 2"] {
            assert_eq!(parse(wrong), Err(errors::SYNTAX), "{wrong}");
        }
    }
}
