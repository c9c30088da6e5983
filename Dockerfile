# The lab in a container: docker build -t llm-lab . && docker run -p 8501:8501 llm-lab
FROM python:3.12-slim

# torch comes first and alone: its CPU build is a tenth of the ordinary one. psycopg: classes in PostgreSQL.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
WORKDIR /lab
COPY requirements.txt .
RUN pip install --no-cache-dir --index-url ${TORCH_INDEX} "$(grep -o '^torch==[0-9.]*' requirements.txt)" \
 && pip install --no-cache-dir -r requirements.txt "psycopg[binary]>=3.2,<4"

RUN useradd --create-home --uid 1000 learner \
 && mkdir /models && chown learner /models
COPY --chown=learner . .
USER learner

# A volume on /models keeps the published models that somebody has asked for.
ENV LLM_LAB_CACHE=/models OMP_NUM_THREADS=1 PYTHONUNBUFFERED=1
EXPOSE 8501
HEALTHCHECK --start-period=60s --interval=30s --timeout=5s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://localhost:8501/_stcore/health', timeout=4)"]
CMD ["streamlit", "run", "app/main.py", "--server.address", "0.0.0.0", "--server.port", "8501"]
