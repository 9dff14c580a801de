# Two commands on a fresh machine: "make demo" and "make test". .ci/bootstrap installs what is missing, once.
.DEFAULT_GOAL := help
# two bootstraps at once would be in each other's way
.NOTPARALLEL:
.PHONY: demo test lint setup clean help

demo: ## run the main job on the network that the project ships
	@sh .ci/bootstrap demo
	@.venv/bin/harness demo

test: ## run the whole test suite
	@sh .ci/bootstrap test
	@.venv/bin/python -m pytest -n auto --dist worksteal

lint: ## check style and types
	@sh .ci/bootstrap test
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy --strict harness
	MYPYPATH=robot .venv/bin/mypy --strict robot/*.py
	.venv/bin/robocop check robot
	.venv/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	.venv/bin/check-jsonschema --builtin-schema vendor.github-actions action.yml
	.venv/bin/check-jsonschema --builtin-schema vendor.gitlab-ci .gitlab/*.yml
	.venv/bin/shellcheck .ci/*
	find firmware harness -type f \( -name '*.c' -o -name '*.cc' -o -name '*.h' \) -exec \
		.venv/bin/clang-format --dry-run -Werror {} +

setup: ## install what demo needs, without running it
	@sh .ci/bootstrap demo

clean: ## remove the Python environment
	rm -rf .venv

help: ## list these targets
	@sed -n 's/^\([a-z]*\): ## /make \1\t/p' Makefile
