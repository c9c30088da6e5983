# The verbs of the project. `make run` and `make test` are all a newcomer needs.
PYTHON ?= python3
PIP_ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
TEST_WORKERS ?= 2
SERVE := $(BIN)/streamlit run app/main.py --server.address localhost --server.port 8501
export OMP_NUM_THREADS := 1

.PHONY: run dev test check format load pages monkey audit bench soak recordings checkpoints clean

run: $(VENV)/.run ## create .venv, install, serve on http://localhost:8501
	$(SERVE)

dev: $(VENV)/.run ## the same, reloading what you edit, labcore included
	PYTHONPATH=. STREAMLIT_SERVER_FILE_WATCHER_TYPE=auto $(SERVE) --server.runOnSave true

test: $(VENV)/.test check ## install what the tests need, then run all of them
	$(BIN)/python tests/browser/install_chromium.py
	$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadfile --ignore tests/browser
	$(BIN)/python -m pytest tests/browser # by itself: a browser shares its cores with its server already

check: $(VENV)/.test ## style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

load: $(VENV)/.test ## thirty sessions at once; prints the table of the README
	$(BIN)/python -m benchmarks.thirty

pages: $(VENV)/.test ## memory of each page and the first picture; prints the table of the README
	$(BIN)/python -m benchmarks.pages

bench: $(VENV)/.test ## ours against its peers; writes benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks.results

soak: $(VENV)/.test ## five sessions at random for two hours; prints memory, threads, open files
	$(BIN)/python -m benchmarks.soak

monkey: $(VENV)/.test ## a thousand random acts on all pages; MONKEY="--steps 3000 --seed 2 --pages attention"
	$(BIN)/python -m benchmarks.monkey $(MONKEY)

audit: $(VENV)/.test ## code and packages for known weaknesses (asks PyPI), every field of the app in a browser
	$(BIN)/bandit -q -c pyproject.toml -r app labcore pages benchmarks
	LLM_LAB_EVERY_FIELD=1 $(BIN)/python -m pytest tests/browser/test_hostile_texts.py
	$(BIN)/python -m pip freeze | sed 's/+cpu$$//' > $(VENV)/installed.txt
	$(BIN)/pip-audit --strict --no-deps --disable-pip --requirement $(VENV)/installed.txt

checkpoints: $(VENV)/.run ## train the bundled models again (about an hour and a half on one core)
	$(BIN)/python -m labcore.recipes.world_decoder
	$(BIN)/python -m labcore.recipes.world_encoder
	$(BIN)/python -m labcore.recipes.world_translator
	$(BIN)/python -m labcore.recipes.world_copier

recordings: $(VENV)/.run ## record every lab's default result again
	$(BIN)/python -m app.record

# torch comes first and alone, so that its pin decides which build is taken.
$(VENV)/.run: requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing what the lab needs into $(VENV); the first time takes some minutes."
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) "$$(grep -o '^torch==[0-9.]*' requirements.txt)"
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) -r requirements.txt
	touch $@

$(VENV)/.test: $(VENV)/.run requirements-dev.txt
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) -r requirements-dev.txt
	touch $@

clean:
	rm -rf $(VENV)
