// Light, dark, or as the system says.
import { useEffect, useState } from "preact/hooks";
import { Icon } from "../ui/icons";
import { MenuButton } from "../ui/menu";
import { say, sentence, type Sentence } from "../words";

type Theme = "system" | "light" | "dark";
const WORDS: Record<Theme, Sentence> = { system: sentence("As the system"), light: sentence("Light"), dark: sentence("Dark") };

function kept(): Theme {
  const value = localStorage.getItem("huisstijl.theme");
  return value === "light" || value === "dark" ? value : "system";
}

export function ThemeSwitch() {
  const [theme, setTheme] = useState<Theme>(kept);
  useEffect(() => {
    localStorage.setItem("huisstijl.theme", theme);
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  }, [theme]);
  const items = (Object.keys(WORDS) as Theme[]).map((one) => ({ label: WORDS[one](), checked: one === theme, onPick: () => setTheme(one) }));
  return <MenuButton label={say("Light or dark")} items={items}><Icon name={theme === "dark" ? "moon" : "sun"} /></MenuButton>;
}
