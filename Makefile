# What a person can do here. `make help` lists it.

CARGO ?= cargo
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
BINARY := $(TARGET_DIR)/release/solod
# What tests run against: optimised, with debug assertions, and quick to link (see Cargo.toml).
CHECKED := --profile checked
CHECKED_BINARY := $(TARGET_DIR)/checked/solod
HOST := x86_64-unknown-linux-gnu

# install
PREFIX ?= /usr/local
DESTDIR ?=
BINDIR := $(PREFIX)/bin
DOCDIR := $(PREFIX)/share/doc/solod
MANDIR := $(PREFIX)/share/man
UNITDIR := $(if $(filter /usr,$(PREFIX)),/usr/lib,/etc)/systemd/system
CONFDIR := /etc/solod

# run, bench, fuzz, soak
ARGS ?=
TARGET ?= request
SECONDS ?= 600
SEEDS ?= 1000
COMMANDS ?= 1000000
USERS ?= 20
KILLS ?= 200
# compat: SOLOD names the binary that is judged; UNIT and ONLY choose, SKIPPED=1 turns to what is skipped
SOLOD ?= $(CHECKED_BINARY)
UNIT ?=
ONLY ?=
SKIPPED ?=
# test: these run a second time, against the very release binary
RELEASE_TESTS := it_strings it_lists it_sets it_hashes it_sorted_sets it_hostile it_persistence it_primary it_replica it_tools

.PHONY: help run build test compat bench asan fuzz simulate differential users soak kills together docs install uninstall deb test-deb clean

help: ## this list
	@grep -hE '^[a-z-]+:.* ## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.* ## /\1\t/' | expand -t 12

run: build ## build and serve on port 6379; ARGS="--port 7000" passes arguments on
	$(BINARY) $(ARGS)

build: ## build the release binary
	$(CARGO) build --release

test: ## install what tests need, then format, clippy, all tests, and a part of them against the release binary
	scripts/setup-tests
	$(CARGO) fmt --check
	rustfmt --check --edition 2024 tests/fuzz/*.rs
	$(CARGO) clippy $(CHECKED) --all-targets -- -D warnings
	scripts/run-tests $(CHECKED)
	$(CARGO) build --release
	SOLOD_TEST_BINARY=$(abspath $(BINARY)) scripts/run-tests $(CHECKED) $(addprefix --test ,$(RELEASE_TESTS))
	scripts/compat --ours $(CHECKED_BINARY) --cache $(TARGET_DIR)/compat --quick
	scripts/compat --ours $(CHECKED_BINARY) --cache $(TARGET_DIR)/compat --quick --tls

compat: ## let the suite of redis 7.0.15 judge solod; UNIT=type/list one unit, ONLY="a test", SKIPPED=1 what is skipped, ARGS=--tls over TLS
	scripts/setup-tests python3 tclsh
	$(CARGO) build $(CHECKED)
	scripts/compat --ours $(SOLOD) --cache $(TARGET_DIR)/compat $(if $(UNIT),--unit "$(UNIT)") $(if $(ONLY),--only '$(ONLY)') \
		$(if $(SKIPPED),--skipped) $(if $(UNIT)$(ONLY)$(SKIPPED),,--both) $(ARGS)

bench: build ## measure beside redis-server; ARGS="--rounds 5 --only get" passes arguments on
	scripts/setup-tests python3
	scripts/bench --ours $(BINARY) $(ARGS)

# Memory that jemalloc hands out is invisible to the sanitizer: system_allocator leaves it out of the build. A test asks for more than there is.
asan: ## all tests under AddressSanitizer
	scripts/setup-tests
	RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=address --cfg system_allocator" CARGO_TARGET_DIR=$(TARGET_DIR)/asan \
		ASAN_OPTIONS=allocator_may_return_null=1:use_sigaltstack=0 \
		scripts/run-tests $(CHECKED) --target $(HOST) --lib --bins --tests

# The flags with which cargo-fuzz builds, given to cargo itself. The corpus stays below the target directory.
FUZZ_FLAGS := --cfg fuzzing -Zsanitizer=address -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
	-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
	-Cllvm-args=-sanitizer-coverage-trace-compares -Cllvm-args=-simplifycfg-branch-fold-threshold=0 \
	-Ccodegen-units=1 -Cdebug-assertions --cfg system_allocator
FUZZ_DIR := $(TARGET_DIR)/fuzz

# To catch uses after return the sanitizer would move the frames of each script's stack elsewhere, and never give that back: gigabytes after some minutes.
fuzz: ## fuzz one parser: TARGET=request, config, rdb, stream, replication, hyperloglog, bitfield, aof, manifest, script, json, messages, structure, functions, tls, acl_rules or acl_file, for SECONDS=600
	scripts/setup-tests g++
	@mkdir -p $(FUZZ_DIR)/corpus/$(TARGET) $(FUZZ_DIR)/artifacts
	RUSTC_BOOTSTRAP=1 RUSTFLAGS="$(FUZZ_FLAGS)" CARGO_TARGET_DIR=$(FUZZ_DIR) \
		$(CARGO) build --release --manifest-path tests/fuzz/Cargo.toml --target $(HOST) --bin $(TARGET)
	ASAN_OPTIONS=detect_stack_use_after_return=0 \
		$(FUZZ_DIR)/$(HOST)/release/$(TARGET) -max_total_time=$(SECONDS) -timeout=10 -rss_limit_mb=4096 \
		-artifact_prefix=$(FUZZ_DIR)/artifacts/ -print_final_stats=1 $(FUZZ_DIR)/corpus/$(TARGET) tests/fuzz/seeds/$(TARGET)

simulate: ## run the simulator on SEEDS=1000 fresh seeds; a failing one prints its trace and replays exactly
	SOLOD_SIM_SEEDS=$(SEEDS) $(CARGO) test $(CHECKED) --test simulation fresh_seeds_hold -- --nocapture --include-ignored

differential: ## run COMMANDS=1000000 random commands against redis-server too, and compare all that can be seen
	scripts/setup-tests redis-server
	SOLOD_DIFF_COMMANDS=$(COMMANDS) $(CARGO) test $(CHECKED) --test differential -- --nocapture

users: ## run 200,000 random commands as each of USERS=20 users with random rules, against redis-server too
	scripts/setup-tests redis-server
	SOLOD_DIFF_USERS=$(USERS) SOLOD_DIFF_USER_COMMANDS=200000 $(CARGO) test $(CHECKED) --test differential who_has_rules -- --nocapture

soak: ## everything at once for SECONDS=600: clients, saves, replicas, kills; memory and the longest turn are watched
	SOLOD_SOAK_SECONDS=$(SECONDS) $(CARGO) test $(CHECKED) --test soak -- --nocapture

kills: ## kill a server with an append-only file KILLS=200 times under load, and as often on a disk that fills up
	SOLOD_KILLS=$(KILLS) $(CARGO) test $(CHECKED) --test it_aof_kill -- --nocapture --test-threads 1

together: ## redis-benchmark in threads, an append-only file, eviction, rewrites, saves and a replica at once, for SECONDS=600
	scripts/setup-tests redis-benchmark
	SOLOD_TOGETHER_SECONDS=$(SECONDS) $(CARGO) test $(CHECKED) --test it_together -- --nocapture

docs: ## write docs/commands.md and docs/configuration.md from the tables
	UPDATE_DOCS=1 $(CARGO) test $(CHECKED) --test it_docs

$(BINARY):
	$(CARGO) build --release

install: $(BINARY) ## install below PREFIX=/usr/local, for packages with DESTDIR
	install -Dm755 $(BINARY) $(DESTDIR)$(BINDIR)/solod
	install -d $(DESTDIR)$(UNITDIR) $(DESTDIR)$(CONFDIR) $(DESTDIR)$(DOCDIR)
	install -Dm644 docs/solod.1 $(DESTDIR)$(MANDIR)/man1/solod.1
	install -Dm644 scripts/debian/solod.sysusers $(DESTDIR)/usr/lib/sysusers.d/solod.conf
	sed 's|/usr/bin/solod|$(BINDIR)/solod|' scripts/solod.service > $(DESTDIR)$(UNITDIR)/solod.service
	chmod 644 $(DESTDIR)$(UNITDIR)/solod.service
	test -e $(DESTDIR)$(CONFDIR)/solod.conf || install -m600 scripts/solod.conf $(DESTDIR)$(CONFDIR)/solod.conf
	install -m644 README.md LICENSE $(wildcard docs/*.md) $(DESTDIR)$(DOCDIR)
	# The service runs as a user of its own, who writes its configuration.
	test -n "$(DESTDIR)" || { systemd-sysusers solod.conf && chown root:solod $(CONFDIR) && chmod 2770 $(CONFDIR) && \
		chown solod:solod $(CONFDIR)/solod.conf && chmod 640 $(CONFDIR)/solod.conf; }

uninstall: ## remove what install put there; the configuration stays
	rm -f $(DESTDIR)$(BINDIR)/solod $(DESTDIR)$(UNITDIR)/solod.service $(DESTDIR)$(MANDIR)/man1/solod.1 $(DESTDIR)/usr/lib/sysusers.d/solod.conf
	rm -rf $(DESTDIR)$(DOCDIR)

deb: build ## build a Debian package below target/deb
	scripts/setup-tests dpkg-shlibdeps
	scripts/make-deb $(BINARY) $(TARGET_DIR)/deb

test-deb: deb ## install that package in a throw-away copy of this system, look at it, and remove it; needs root
	scripts/setup-tests lintian
	scripts/test-deb $(TARGET_DIR)/deb/*.deb

clean: ## remove everything that was built
	$(CARGO) clean
