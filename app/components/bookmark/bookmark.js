// Remembers in this tab what each place looks at, and tells a new session what the old one looked at.

const SLOT = "llm-principles-lab.bookmarks";

function stored() {
  try {
    const table = JSON.parse(sessionStorage.getItem(SLOT) ?? "{}");
    return table && typeof table === "object" && !Array.isArray(table) ? table : {};
  } catch {
    return {}; // storage switched off, or not ours
  }
}

export default function ({ data, setTriggerValue }) {
  if (!data) return;
  const { place, looks_at, fresh } = data;
  const table = stored();
  const left = table[place];
  if (looks_at) table[place] = looks_at;
  else delete table[place];
  try {
    sessionStorage.setItem(SLOT, JSON.stringify(table));
  } catch {
    // a browser that keeps nothing: a new session knows of no run
  }
  if (fresh && left) setTriggerValue("left", left);
}
