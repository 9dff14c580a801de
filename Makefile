# Two commands on a fresh machine: "make demo" and "make test". .ci/bootstrap installs what is missing, once.
.DEFAULT_GOAL := help
# two bootstraps at once would be in each other's way
.NOTPARALLEL:
.PHONY: demo test lint docs docs-cli setup clean help

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
	.venv/bin/check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff
	.venv/bin/shellcheck .ci/*
	find firmware harness -type f \( -name '*.c' -o -name '*.cc' -o -name '*.h' \) -exec \
		.venv/bin/clang-format --dry-run -Werror {} +

docs: ## build the documentation as a site, warnings being errors
	@sh .ci/bootstrap test
	.venv/bin/sphinx-build -q -W --keep-going -n -b html -d docs/_build/doctrees docs docs/_build/html
	@echo "docs/_build/html/index.html"

docs-cli: ## write docs/reference/cli.md anew, after a command has changed
	@sh .ci/bootstrap test
	.venv/bin/python docs/_ext/cli_page.py

setup: ## install what demo needs, without running it
	@sh .ci/bootstrap demo

clean: ## remove the Python environment
	rm -rf .venv

help: ## list these targets
	@sed -n 's/^\([a-z-]*\): ## /make \1\t/p' Makefile
