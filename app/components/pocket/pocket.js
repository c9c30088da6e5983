// Keeps a token, and perhaps a teacher's key, for each class in this browser.

const SLOT = "llm-principles-lab.classes";
const MOST = 40; // classes; the oldest goes first

function stored() {
  try {
    const table = JSON.parse(localStorage.getItem(SLOT) ?? "{}");
    return table && typeof table === "object" && !Array.isArray(table) ? table : {};
  } catch {
    return {}; // storage switched off, or not ours
  }
}

export default function ({ data, setStateValue }) {
  if (!data) return;
  const table = stored();
  const { token, key } = table[data.code] ?? {};
  const kept = { code: data.code, token: token ?? data.token, key: data.key ?? key ?? null };
  delete table[data.code];
  table[data.code] = { token: kept.token, key: kept.key };
  for (const old of Object.keys(table).slice(0, -MOST)) delete table[old];
  try {
    localStorage.setItem(SLOT, JSON.stringify(table));
  } catch {
    // a browser that keeps nothing: the token lasts as long as the session
  }
  const heard = data.heard ?? {};
  if (["code", "token", "key"].some((name) => (heard[name] ?? null) !== kept[name])) setStateValue("kept", kept);
}
