//! Commands of cluster nodes. Cluster support is disabled, and that is what they reply.

use super::{
    Ctx,
    command::{Command, Group, Handler, categories, command, flags::*},
};

const DISABLED: &str = "ERR This instance has cluster support disabled";

fn disabled(ctx: &mut Ctx) {
    ctx.error(DISABLED);
}

/// CLUSTER without a subcommand.
fn container(ctx: &mut Ctx) {
    ctx.wrong_arity();
}

const VARIES: &[&str] = &["nondeterministic_output"];
const CHANGE: u64 = ADMIN | STALE | NO_ASYNC_LOADING;

const fn row(name: &'static str, handler: Handler, arity: i32, flags: u64, since: &'static str) -> Command {
    command(name, handler, arity, flags).since(Group::Cluster, since)
}

const fn sub(name: &'static str, arity: i32, flags: u64, since: &'static str) -> Command {
    row(name, disabled, arity, flags, since)
}

/// The rows of this group.
pub const COMMANDS: &[Command] = &[
    row("asking", disabled, 1, FAST, "3.0.0")
        .doc("Lets the next command in where a redirection has sent it.", "O(1)")
        .categories(categories::CONNECTION),
    row("cluster", container, -2, 0, "3.0.0")
        .doc("The nodes of a cluster and their slots.", "Depends on the subcommand")
        .subcommands(SUBCOMMANDS),
    row("readonly", disabled, 1, LOADING | STALE | FAST, "3.0.0")
        .doc("Lets this connection read from a replica in a cluster.", "O(1)")
        .categories(categories::CONNECTION),
    row("readwrite", disabled, 1, LOADING | STALE | FAST, "3.0.0")
        .doc("Sends this connection's reads to primaries again.", "O(1)")
        .categories(categories::CONNECTION),
];

const SUBCOMMANDS: &[Command] = &[
    sub("addslots", -3, CHANGE, "3.0.0").doc("Gives slots to this node.", "O(N) where N is the number of slots").args("slot:integer..."),
    sub("addslotsrange", -4, CHANGE, "7.0.0")
        .doc("Gives ranges of slots to this node.", "O(N) where N is the number of slots in the ranges")
        .args("range:(start-slot:integer end-slot:integer)..."),
    sub("bumpepoch", 2, CHANGE, "3.0.0").doc("Moves the node's configuration epoch on.", "O(1)").tips(VARIES),
    sub("count-failure-reports", 3, ADMIN | STALE, "3.0.0")
        .doc("Says how many nodes report that one has failed.", "O(N) where N is the number of reports")
        .args("node-id")
        .tips(VARIES),
    sub("countkeysinslot", 3, STALE, "3.0.0").doc("Says how many keys a slot has here.", "O(1)").args("slot:integer"),
    sub("delslots", -3, CHANGE, "3.0.0").doc("Takes slots from this node.", "O(N) where N is the number of slots").args("slot:integer..."),
    sub("delslotsrange", -4, CHANGE, "7.0.0")
        .doc("Takes ranges of slots from this node.", "O(N) where N is the number of slots in the ranges")
        .args("range:(start-slot:integer end-slot:integer)..."),
    sub("failover", -2, CHANGE, "3.0.0").doc("Makes this replica take its primary's place.", "O(1)").args("[options:(FORCE | TAKEOVER)]"),
    sub("flushslots", 2, CHANGE, "3.0.0").doc("Takes all slots from this node.", "O(1)"),
    sub("forget", 3, CHANGE, "3.0.0").doc("Removes a node from the table of nodes.", "O(1)").args("node-id"),
    sub("getkeysinslot", 4, STALE, "3.0.0")
        .doc("Names keys that a slot has here.", "O(N) where N is the number of keys asked for")
        .args("slot:integer count:integer")
        .tips(VARIES),
    sub("help", 2, LOADING | STALE, "5.0.0").doc("Says what subcommands there are.", "O(1)"),
    sub("info", 2, STALE, "3.0.0").doc("Tells the state of the cluster.", "O(1)").tips(VARIES),
    sub("keyslot", 3, STALE, "3.0.0").doc("Tells a key's slot.", "O(N) where N is the length of the key").args("key:string"),
    sub("links", 2, STALE, "7.0.0").doc("Lists the links to and from other nodes.", "O(N) where N is the number of nodes").tips(VARIES),
    sub("meet", -4, CHANGE, "3.0.0")
        .doc("Makes two nodes know each other.", "O(1)")
        .args("ip port:integer [cluster-bus-port:integer]")
        .history(&[("4.0.0", "Takes the port of the cluster bus.")]),
    sub("myid", 2, STALE, "3.0.0").doc("Tells this node's id.", "O(1)"),
    sub("myshardid", 2, STALE, "7.2.0").doc("Tells the id of this node's shard.", "O(1)").tips(VARIES),
    sub("nodes", 2, STALE, "3.0.0").doc("Tells what this node knows of the cluster.", "O(N) where N is the number of nodes").tips(VARIES),
    sub("replicas", 3, ADMIN | STALE, "5.0.0")
        .doc("Lists a primary's replicas.", "O(N) where N is the number of replicas")
        .args("node-id")
        .tips(VARIES),
    sub("replicate", 3, CHANGE, "3.0.0").doc("Makes this node a primary's replica.", "O(1)").args("node-id"),
    sub("reset", -2, ADMIN | NOSCRIPT | STALE, "3.0.0")
        .doc("Makes this node forget the cluster.", "O(N) where N is the number of nodes")
        .args("[reset-type:(HARD | SOFT)]"),
    sub("saveconfig", 2, CHANGE, "3.0.0").doc("Writes what this node knows of the cluster to disk.", "O(1)"),
    sub("set-config-epoch", 3, CHANGE, "3.0.0").doc("Sets the configuration epoch of a new node.", "O(1)").args("config-epoch:integer"),
    sub("setslot", -4, CHANGE, "3.0.0")
        .doc("Gives a slot to a node, or prepares to.", "O(1)")
        .args("slot:integer subcommand:(importing:(IMPORTING node-id) | migrating:(MIGRATING node-id) | node:(NODE node-id) | STABLE)"),
    sub("shards", 2, STALE, "7.0.0").doc("Maps the slots to shards and their nodes.", "O(N) where N is the number of nodes").tips(VARIES),
    sub("slaves", 3, ADMIN | STALE, "3.0.0")
        .doc("Lists a primary's replicas.", "O(N) where N is the number of replicas")
        .args("node-id")
        .tips(VARIES)
        .deprecated("5.0.0", "`CLUSTER REPLICAS`"),
    sub("slots", 2, STALE, "3.0.0")
        .doc("Maps the slots to nodes.", "O(N) where N is the number of nodes")
        .tips(VARIES)
        .deprecated("7.0.0", "`CLUSTER SHARDS`")
        .history(&[("4.0.0", "Tells the nodes' ids."), ("7.0.0", "Tells what else is known of their addresses.")]),
];
