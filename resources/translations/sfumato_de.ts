<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de_DE">
 <context>
  <name>AboutPage</name>
  <message>
   <source>A window for DiffusionGemma on your own computer. Free software under the Apache License 2.0. DiffusionGemma is Google's; this project is not.</source>
   <translation>Ein Fenster für DiffusionGemma auf dem eigenen Rechner. Freie Software unter der Apache-Lizenz 2.0. DiffusionGemma ist von Google, dieses Projekt nicht.</translation>
  </message>
  <message>
   <source>Made with</source>
   <translation>Gemacht mit</translation>
  </message>
  <message>
   <source>Licence texts</source>
   <translation>Lizenztexte</translation>
  </message>
  <message>
   <source>As files on this computer; fonts and icons have theirs beside them.</source>
   <translation>Als Dateien auf diesem Rechner; Schriften und Symbole haben ihre daneben.</translation>
  </message>
  <message>
   <source>Open the folder</source>
   <translation>Ordner öffnen</translation>
  </message>
 </context>
 <context>
  <name>ActionRow</name>
  <message>
   <source>Previous version</source>
   <translation>Vorige Fassung</translation>
  </message>
  <message>
   <source>Next version</source>
   <translation>Nächste Fassung</translation>
  </message>
  <message>
   <source>Version %1 of %2</source>
   <translation>Fassung %1 von %2</translation>
  </message>
 </context>
 <context>
  <name>AnswersPage</name>
  <message>
   <source>Answers</source>
   <translation>Antworten</translation>
  </message>
  <message>
   <source>For new chats and for the one that is open.</source>
   <translation>Für neue Gespräche und das geöffnete.</translation>
  </message>
  <message>
   <source>Save as preset…</source>
   <translation>Als Vorlage sichern …</translation>
  </message>
  <message>
   <source>Delete</source>
   <translation>Löschen</translation>
  </message>
  <message>
   <source>Preset</source>
   <translation>Vorlage</translation>
  </message>
  <message>
   <source>A system prompt and a sampler under one name.</source>
   <translation>Systemvorgabe und Sampler unter einem Namen.</translation>
  </message>
  <message>
   <source>System prompt</source>
   <translation>Systemvorgabe</translation>
  </message>
  <message>
   <source>System prompt: who should answer, and how? Empty for none.</source>
   <translation>Systemvorgabe: Wer soll antworten, und wie? Leer für keine.</translation>
  </message>
  <message>
   <source>Think before answering</source>
   <translation>Vor der Antwort nachdenken</translation>
  </message>
  <message>
   <source>The model writes its thoughts first; they can be opened above the answer.</source>
   <translation>Das Modell schreibt erst seine Gedanken; sie lassen sich über der Antwort aufklappen.</translation>
  </message>
  <message>
   <source>How a block is refined</source>
   <translation>Wie ein Block verfeinert wird</translation>
  </message>
  <message>
   <source>Steps at most</source>
   <translation>Höchstens so viele Schritte</translation>
  </message>
  <message>
   <source>Fewer are faster; a block that runs out of steps is marked.</source>
   <translation>Weniger sind schneller; ein Block, dem die Schritte ausgehen, wird gekennzeichnet.</translation>
  </message>
  <message>
   <source>Temperature at the first step</source>
   <translation>Temperatur beim ersten Schritt</translation>
  </message>
  <message>
   <source>Higher begins with more variety.</source>
   <translation>Höher beginnt vielfältiger.</translation>
  </message>
  <message>
   <source>Temperature at the last step</source>
   <translation>Temperatur beim letzten Schritt</translation>
  </message>
  <message>
   <source>Lower ends more decidedly; never above that of the first step.</source>
   <translation>Niedriger endet entschiedener; nie über der des ersten Schritts.</translation>
  </message>
  <message>
   <source>Boldness</source>
   <translation>Kühnheit</translation>
  </message>
  <message>
   <source>How much doubt one step may accept. Higher is faster and rougher.</source>
   <translation>Wie viel Zweifel ein Schritt annehmen darf. Höher ist schneller und gröber.</translation>
  </message>
  <message>
   <source>Steady for</source>
   <translation>Unverändert seit</translation>
  </message>
  <message>
   <source>Steps without a change before a block may count as settled.</source>
   <translation>So viele Schritte ohne Änderung, bis ein Block als geklärt gelten darf.</translation>
  </message>
  <message>
   <source>Sure enough</source>
   <translation>Sicher genug</translation>
  </message>
  <message>
   <source>Doubt that may be left on average when a block settles.</source>
   <translation>Zweifel, der im Mittel bleiben darf, wenn sich ein Block klärt.</translation>
  </message>
  <message>
   <source>a new one each time</source>
   <translation>jedes Mal ein neuer</translation>
  </message>
  <message>
   <source>Reset</source>
   <translation>Zurücksetzen</translation>
  </message>
  <message>
   <source>Seed</source>
   <translation>Startwert</translation>
  </message>
  <message>
   <source>The same seed gives the same answer on the same device.</source>
   <translation>Derselbe Startwert gibt auf demselben Gerät dieselbe Antwort.</translation>
  </message>
  <message>
   <source>Reset: %1</source>
   <translation>Zurücksetzen: %1</translation>
  </message>
  <message>
   <source>None</source>
   <translation>Keine</translation>
  </message>
  <message>
   <source>Save as preset</source>
   <translation>Als Vorlage sichern</translation>
  </message>
  <message>
   <source>Name</source>
   <translation>Name</translation>
  </message>
 </context>
 <context>
  <name>AppearancePage</name>
  <message>
   <source>Appearance</source>
   <translation>Aussehen</translation>
  </message>
  <message>
   <source>As the system</source>
   <translation>Wie das System</translation>
  </message>
  <message>
   <source>On</source>
   <translation>Ein</translation>
  </message>
  <message>
   <source>Off</source>
   <translation>Aus</translation>
  </message>
  <message>
   <source>Theme</source>
   <translation>Farben</translation>
  </message>
  <message>
   <source>Light</source>
   <translation>Hell</translation>
  </message>
  <message>
   <source>Dark</source>
   <translation>Dunkel</translation>
  </message>
  <message>
   <source>Text size of messages</source>
   <translation>Textgröße der Nachrichten</translation>
  </message>
  <message>
   <source>Ctrl + and Ctrl − make the whole window larger or smaller.</source>
   <translation>Strg + und Strg − machen das ganze Fenster größer oder kleiner.</translation>
  </message>
  <message>
   <source>Small</source>
   <translation>Klein</translation>
  </message>
  <message>
   <source>Normal</source>
   <translation>Normal</translation>
  </message>
  <message>
   <source>Large</source>
   <translation>Groß</translation>
  </message>
  <message>
   <source>Very large</source>
   <translation>Sehr groß</translation>
  </message>
  <message>
   <source>Fonts</source>
   <translation>Schriften</translation>
  </message>
  <message>
   <source>Inter and JetBrains Mono</source>
   <translation>Inter und JetBrains Mono</translation>
  </message>
  <message>
   <source>The system's fonts</source>
   <translation>Die Schriften des Systems</translation>
  </message>
  <message>
   <source>High contrast</source>
   <translation>Hoher Kontrast</translation>
  </message>
  <message>
   <source>Stronger lines and text, and smoke that can still be read.</source>
   <translation>Kräftigere Linien und Schrift, und Rauch, der lesbar bleibt.</translation>
  </message>
  <message>
   <source>Reduced motion</source>
   <translation>Weniger Bewegung</translation>
  </message>
  <message>
   <source>No easing, no fading; recordings do not play by themselves.</source>
   <translation>Kein Überblenden; Aufzeichnungen laufen nicht von selbst.</translation>
  </message>
  <message>
   <source>Language</source>
   <translation>Sprache</translation>
  </message>
  <message>
   <source>Holds from the next start.</source>
   <translation>Gilt ab dem nächsten Start.</translation>
  </message>
 </context>
 <context>
  <name>Banner</name>
  <message>
   <source>Details</source>
   <translation>Einzelheiten</translation>
  </message>
  <message>
   <source>Copy details</source>
   <translation>Einzelheiten kopieren</translation>
  </message>
  <message>
   <source>Close</source>
   <translation>Schließen</translation>
  </message>
 </context>
 <context>
  <name>BehaviourPage</name>
  <message>
   <source>Window</source>
   <translation>Fenster</translation>
  </message>
  <message>
   <source>Enter</source>
   <translation>Eingabe</translation>
  </message>
  <message>
   <source>Ctrl+Enter</source>
   <translation>Strg+Eingabe</translation>
  </message>
  <message>
   <source>Send with</source>
   <translation>Senden mit</translation>
  </message>
  <message>
   <source>Shift+Enter always makes a new line.</source>
   <translation>Umschalt+Eingabe macht immer eine neue Zeile.</translation>
  </message>
  <message>
   <source>Flowing text</source>
   <translation>Fließtext</translation>
  </message>
  <message>
   <source>A grid</source>
   <translation>Raster</translation>
  </message>
  <message>
   <source>Show the canvas as</source>
   <translation>Die Leinwand zeigen als</translation>
  </message>
  <message>
   <source>The draft</source>
   <translation>Den Entwurf</translation>
  </message>
  <message>
   <source>The noise</source>
   <translation>Das Rauschen</translation>
  </message>
  <message>
   <source>What the canvas shows</source>
   <translation>Was die Leinwand zeigt</translation>
  </message>
  <message>
   <source>The draft is the model's best guess; the noise is what it really holds.</source>
   <translation>Der Entwurf ist die beste Vermutung des Modells; das Rauschen ist, was es wirklich hält.</translation>
  </message>
  <message>
   <source>Tell me when an answer ends in the background</source>
   <translation>Melden, wenn eine Antwort im Hintergrund fertig wird</translation>
  </message>
  <message>
   <source>Engine</source>
   <translation>Rechenwerk</translation>
  </message>
  <message>
   <source>Choose for me</source>
   <translation>Selbst wählen lassen</translation>
  </message>
  <message>
   <source>Compute on</source>
   <translation>Rechnen auf</translation>
  </message>
  <message>
   <source>Context</source>
   <translation>Kontext</translation>
  </message>
  <message>
   <source>Tokens of a conversation that the model can hold; more need more memory.</source>
   <translation>So viele Token eines Gesprächs hält das Modell; mehr brauchen mehr Speicher.</translation>
  </message>
  <message>
   <source>Load the model again</source>
   <translation>Modell neu laden</translation>
  </message>
  <message>
   <source>Device and context hold from the next load.</source>
   <translation>Gerät und Kontext gelten ab dem nächsten Laden.</translation>
  </message>
  <message>
   <source>On the desktop, if it took longer than ten seconds.</source>
   <translation>Auf dem Desktop, wenn sie länger als zehn Sekunden gedauert hat.</translation>
  </message>
  <message>
   <source>Stay in the tray</source>
   <translation>Im Infobereich bleiben</translation>
  </message>
  <message>
   <source>Closing the window hides it there; the model stays loaded.</source>
   <translation>Beim Schließen verschwindet das Fenster dorthin; das Modell bleibt geladen.</translation>
  </message>
  <message>
   <source>This desktop has no tray.</source>
   <translation>Dieser Desktop hat keinen Infobereich.</translation>
  </message>
 </context>
 <context>
  <name>ChatListModel</name>
  <message>
   <source>Pinned</source>
   <translation>Angeheftet</translation>
  </message>
  <message>
   <source>New chat</source>
   <translation>Neues Gespräch</translation>
  </message>
  <message numerus="yes">
   <source>%n result(s)</source>
   <translation>
    <numerusform>%n Treffer</numerusform>
    <numerusform>%n Treffer</numerusform>
   </translation>
  </message>
  <message>
   <source>Nothing found</source>
   <translation>Nichts gefunden</translation>
  </message>
  <message>
   <source>Today</source>
   <translation>Heute</translation>
  </message>
  <message>
   <source>Yesterday</source>
   <translation>Gestern</translation>
  </message>
  <message>
   <source>Previous 7 days</source>
   <translation>Letzte 7 Tage</translation>
  </message>
  <message>
   <source>Folder %1</source>
   <translation>Ordner %1</translation>
  </message>
  <message>
   <source>collapsed</source>
   <translation>zugeklappt</translation>
  </message>
  <message>
   <source>expanded</source>
   <translation>aufgeklappt</translation>
  </message>
  <message numerus="yes">
   <source>%n chat(s)</source>
   <translation>
    <numerusform>%n Gespräch</numerusform>
    <numerusform>%n Gespräche</numerusform>
   </translation>
  </message>
  <message>
   <source>Folders</source>
   <translation>Ordner</translation>
  </message>
 </context>
 <context>
  <name>ChatSidebar</name>
  <message>
   <source>Search</source>
   <translation>Suchen</translation>
  </message>
  <message>
   <source>Search in all chats</source>
   <translation>In allen Gesprächen suchen</translation>
  </message>
  <message>
   <source>New chat</source>
   <translation>Neues Gespräch</translation>
  </message>
  <message>
   <source>Chats</source>
   <translation>Gespräche</translation>
  </message>
  <message>
   <source>More</source>
   <translation>Mehr</translation>
  </message>
  <message>
   <source>Settings</source>
   <translation>Einstellungen</translation>
  </message>
  <message>
   <source>%1 (copy)</source>
   <translation>%1 (Kopie)</translation>
  </message>
  <message>
   <source>Rename</source>
   <translation>Umbenennen</translation>
  </message>
  <message>
   <source>Unpin</source>
   <translation>Lösen</translation>
  </message>
  <message>
   <source>Pin</source>
   <translation>Anheften</translation>
  </message>
  <message>
   <source>Duplicate</source>
   <translation>Verdoppeln</translation>
  </message>
  <message>
   <source>Export…</source>
   <translation>Exportieren …</translation>
  </message>
  <message>
   <source>Delete</source>
   <translation>Löschen</translation>
  </message>
  <message>
   <source>Import chats…</source>
   <translation>Gespräche importieren …</translation>
  </message>
  <message>
   <source>Export all chats…</source>
   <translation>Alle Gespräche exportieren …</translation>
  </message>
  <message>
   <source>New chat here</source>
   <translation>Neues Gespräch hier</translation>
  </message>
  <message>
   <source>Delete folder, keep its chats</source>
   <translation>Ordner löschen, Gespräche behalten</translation>
  </message>
  <message>
   <source>Move to folder</source>
   <translation>In Ordner verschieben</translation>
  </message>
  <message>
   <source>No folder</source>
   <translation>Kein Ordner</translation>
  </message>
  <message>
   <source>New folder</source>
   <translation>Neuer Ordner</translation>
  </message>
  <message>
   <source>New folder %1</source>
   <translation>Neuer Ordner %1</translation>
  </message>
 </context>
 <context>
  <name>Chats</name>
  <message>
   <source>{path} could not be written ({reason}); choose another place.</source>
   <translation>{path} ließ sich nicht schreiben ({reason}); wählen Sie einen anderen Ort.</translation>
  </message>
  <message>
   <source>{path} could not be read ({reason}).</source>
   <translation>{path} ließ sich nicht lesen ({reason}).</translation>
  </message>
  <message>
   <source>The chat could not be stored ({error}).</source>
   <translation>Das Gespräch ließ sich nicht speichern ({error}).</translation>
  </message>
 </context>
 <context>
  <name>Closing</name>
  <message>
   <source>Close Sfumato?</source>
   <translation>Sfumato schließen?</translation>
  </message>
  <message>
   <source>The last of what was written is not on disk yet.</source>
   <translation>Das zuletzt Geschriebene ist noch nicht auf der Platte.</translation>
  </message>
  <message>
   <source>Try again</source>
   <translation>Noch einmal</translation>
  </message>
  <message>
   <source>Save elsewhere…</source>
   <translation>Anderswo sichern …</translation>
  </message>
  <message>
   <source>Close and lose it</source>
   <translation>Schließen und verlieren</translation>
  </message>
  <message>
   <source>Cancel</source>
   <translation>Abbrechen</translation>
  </message>
  <message>
   <source>Save all chats</source>
   <translation>Alle Gespräche sichern</translation>
  </message>
 </context>
 <context>
  <name>CodeBlock</name>
  <message>
   <source>code</source>
   <translation>Code</translation>
  </message>
  <message numerus="yes">
   <source>%n invisible character(s) removed</source>
   <translation>
    <numerusform>%n unsichtbares Zeichen entfernt</numerusform>
    <numerusform>%n unsichtbare Zeichen entfernt</numerusform>
   </translation>
  </message>
  <message>
   <source>Copy</source>
   <translation>Kopieren</translation>
  </message>
  <message>
   <source>Copy code</source>
   <translation>Code kopieren</translation>
  </message>
  <message>
   <source>Code, %1</source>
   <translation>Code, %1</translation>
  </message>
  <message>
   <source>Copied</source>
   <translation>Kopiert</translation>
  </message>
 </context>
 <context>
  <name>Composer</name>
  <message>
   <source>Your message</source>
   <translation>Deine Nachricht</translation>
  </message>
  <message>
   <source>Think before answering</source>
   <translation>Vor der Antwort nachdenken</translation>
  </message>
  <message>
   <source>Send</source>
   <translation>Senden</translation>
  </message>
  <message>
   <source>Stop</source>
   <translation>Anhalten</translation>
  </message>
 </context>
 <context>
  <name>ConversationView</name>
  <message>
   <source>Conversation</source>
   <translation>Gespräch</translation>
  </message>
 </context>
 <context>
  <name>Diagnostics</name>
  <message>
   <source>The GPU can be used: {gpu}, {free} GB free.</source>
   <translation>Die GPU lässt sich nutzen: {gpu}, {free} GB frei.</translation>
  </message>
  <message>
   <source>CUDA_VISIBLE_DEVICES hides {gpu}: unset it and start Sfumato again.</source>
   <translation>CUDA_VISIBLE_DEVICES verbirgt {gpu}: heb die Variable auf und starte Sfumato neu.</translation>
  </message>
  <message>
   <source>The driver has {gpu}, but the engine does not say why it cannot use it.</source>
   <translation>Der Treiber kennt {gpu}, doch die Engine sagt nicht, warum sie die Karte nicht nutzen kann.</translation>
  </message>
  <message>
   <source>The driver has {gpu}, but the engine cannot use it: {said}</source>
   <translation>Der Treiber kennt {gpu}, doch die Engine kann die Karte nicht nutzen: {said}</translation>
  </message>
 </context>
 <context>
  <name>Download</name>
  <message>
   <source>{fault}, again and again: what has arrived is kept; try again later, or set the address of a mirror.</source>
   <translation>{fault}, immer wieder: was angekommen ist, bleibt; versuchen Sie es später noch einmal, oder setzen Sie die Adresse eines Spiegels.</translation>
  </message>
  <message>
   <source>{fault}: trying again in {seconds} s.</source>
   <translation>{fault}: neuer Versuch in {seconds} s.</translation>
  </message>
  <message>
   <source>“{repository}” is not the name of a repository: write OWNER/NAME.</source>
   <translation>„{repository}“ ist kein Name eines Repositorys: schreiben Sie EIGENTÜMER/NAME.</translation>
  </message>
  <message>
   <source>“{file}” is not the name of a GGUF file in a repository.</source>
   <translation>„{file}“ ist kein Name einer GGUF-Datei in einem Repository.</translation>
  </message>
  <message>
   <source>A name with control characters in it is refused.</source>
   <translation>Ein Name mit Steuerzeichen wird nicht angenommen.</translation>
  </message>
  <message>
   <source>“{sha256}” is not a SHA-256 checksum.</source>
   <translation>„{sha256}“ ist keine SHA-256-Prüfsumme.</translation>
  </message>
  <message>
   <source>No model is called “{name}”: there are {known}.</source>
   <translation>Kein Modell heißt „{name}“: es gibt {known}.</translation>
  </message>
  <message>
   <source>The list of models in {path} cannot be read ({error}): mend or delete that file.</source>
   <translation>Die Modellliste in {path} ist nicht lesbar ({error}): berichtigen oder löschen Sie die Datei.</translation>
  </message>
  <message>
   <source>The checksum is wrong: looking for the damaged part.</source>
   <translation>Die Prüfsumme stimmt nicht: der beschädigte Teil wird gesucht.</translation>
  </message>
  <message>
   <source>{name} is already being downloaded by another Sfumato.</source>
   <translation>{name} wird schon von einem anderen Sfumato heruntergeladen.</translation>
  </message>
  <message>
   <source>{path} is already there and is not the file that {host} offers: move it away or remove it first.</source>
   <translation>{path} ist schon da und ist nicht die Datei, die {host} anbietet: verschieben oder entfernen Sie sie zuerst.</translation>
  </message>
  <message>
   <source>{name} from {host} does not have the checksum it should have, even after everything was fetched twice: try another address.</source>
   <translation>{name} von {host} hat nicht die richtige Prüfsumme, auch nachdem alles zweimal geholt wurde: versuchen Sie eine andere Adresse.</translation>
  </message>
  <message>
   <source>{name} needs {needed} more in {folder} and {free} are free: make room, or choose another folder; what has arrived is kept.</source>
   <translation>{name} braucht noch {needed} in {folder}, und {free} sind frei: schaffen Sie Platz, oder wählen Sie einen anderen Ordner; was angekommen ist, bleibt.</translation>
  </message>
  <message>
   <source>The disk that holds {folder} is full: make room and continue; what has arrived is kept.</source>
   <translation>Die Platte mit {folder} ist voll: schaffen Sie Platz und setzen Sie fort; was angekommen ist, bleibt.</translation>
  </message>
  <message>
   <source>{folder} cannot be written ({reason}): choose another folder.</source>
   <translation>In {folder} lässt sich nicht schreiben ({reason}): wählen Sie einen anderen Ordner.</translation>
  </message>
  <message>
   <source>{size} GB</source>
   <translation>{size} GB</translation>
  </message>
  <message>
   <source>{size} MB</source>
   <translation>{size} MB</translation>
  </message>
  <message>
   <source>The disk does not give back what was written to {path}: choose another folder.</source>
   <translation>Die Platte gibt nicht zurück, was nach {path} geschrieben wurde: wählen Sie einen anderen Ordner.</translation>
  </message>
  <message>
   <source>“{chosen}” is not the address of a hub: write it as https://huggingface.co.</source>
   <translation>„{chosen}“ ist keine Adresse eines Hubs: schreiben Sie sie wie https://huggingface.co.</translation>
  </message>
  <message>
   <source>HF_HUB_OFFLINE is set, so nothing is downloaded: unset it and try again.</source>
   <translation>HF_HUB_OFFLINE ist gesetzt, daher wird nichts heruntergeladen: heben Sie die Variable auf und versuchen Sie es noch einmal.</translation>
  </message>
  <message>
   <source>{repository} asks you to accept its terms: do so at {address}/{repository} and set HF_TOKEN to a token of yours.</source>
   <translation>{repository} verlangt, dass Sie seine Bedingungen annehmen: tun Sie das unter {address}/{repository} und setzen Sie HF_TOKEN auf ein Token von Ihnen.</translation>
  </message>
  <message>
   <source>{host} has no {file} in {repository} at revision {revision}: check the name.</source>
   <translation>{host} hat kein {file} in {repository} in der Fassung {revision}: prüfen Sie den Namen.</translation>
  </message>
  <message>
   <source>{host} has no repository {repository}, or it is private: check the name, or set HF_TOKEN.</source>
   <translation>{host} hat kein Repository {repository}, oder es ist privat: prüfen Sie den Namen, oder setzen Sie HF_TOKEN.</translation>
  </message>
  <message>
   <source>HF_HUB_OFFLINE was set at the start, so nothing is downloaded: unset it and start again.</source>
   <translation>HF_HUB_OFFLINE war beim Start gesetzt, daher wird nichts heruntergeladen: heben Sie die Variable auf und starten Sie neu.</translation>
  </message>
  <message>
   <source>{host} answers {status}</source>
   <translation>{host} antwortet {status}</translation>
  </message>
  <message>
   <source>{host} refuses the question about {file} (HTTP {status}): try again later, or set the address of a mirror.</source>
   <translation>{host} weist die Frage nach {file} ab (HTTP {status}): versuchen Sie es später noch einmal, oder setzen Sie die Adresse eines Spiegels.</translation>
  </message>
  <message>
   <source>{host} cannot be reached ({error})</source>
   <translation>{host} ist nicht erreichbar ({error})</translation>
  </message>
  <message>
   <source>{host} does not tell the size and checksum of {file}, so it could not be verified: use huggingface.co or another mirror.</source>
   <translation>{host} nennt Größe und Prüfsumme von {file} nicht, die Datei ließe sich also nicht prüfen: nehmen Sie huggingface.co oder einen anderen Spiegel.</translation>
  </message>
  <message>
   <source>{host} offers another {file} than the published one (its SHA-256 differs): use huggingface.co or another mirror.</source>
   <translation>{host} bietet ein anderes {file} als das veröffentlichte an (andere SHA-256): nehmen Sie huggingface.co oder einen anderen Spiegel.</translation>
  </message>
  <message>
   <source>a ZIP archive</source>
   <translation>ein ZIP-Archiv</translation>
  </message>
  <message>
   <source>a compressed archive</source>
   <translation>ein gepacktes Archiv</translation>
  </message>
  <message>
   <source>a web page</source>
   <translation>eine Webseite</translation>
  </message>
  <message>
   <source>a PDF document</source>
   <translation>ein PDF-Dokument</translation>
  </message>
  <message>
   <source>only a pointer to a file (Git LFS)</source>
   <translation>nur ein Verweis auf eine Datei (Git LFS)</translation>
  </message>
  <message>
   <source>No model “{name}” is on this computer: there are {have}.</source>
   <translation>Ein Modell „{name}“ ist nicht auf diesem Rechner: es gibt {have}.</translation>
  </message>
  <message>
   <source>{path} cannot be read ({reason}): check the disk, or remove the model from the list.</source>
   <translation>{path} ist nicht lesbar ({reason}): prüfen Sie die Platte, oder entfernen Sie das Modell aus der Liste.</translation>
  </message>
  <message>
   <source>{file} has changed since it was checked (SHA-256 {found}… instead of {wanted}…): remove it and download it again.</source>
   <translation>{file} hat sich seit der Prüfung geändert (SHA-256 {found}… statt {wanted}…): entfernen Sie die Datei und laden Sie sie neu herunter.</translation>
  </message>
  <message>
   <source>{path} cannot be moved to the trash: delete it in the file manager.</source>
   <translation>{path} lässt sich nicht in den Papierkorb legen: löschen Sie die Datei im Dateimanager.</translation>
  </message>
  <message>
   <source>{file} is a folder: choose the GGUF file in it.</source>
   <translation>{file} ist ein Ordner: wählen Sie die GGUF-Datei darin.</translation>
  </message>
  <message>
   <source>{path} cannot be read ({reason}): choose another file.</source>
   <translation>{path} ist nicht lesbar ({reason}): wählen Sie eine andere Datei.</translation>
  </message>
  <message>
   <source>{file} is empty: download it again.</source>
   <translation>{file} ist leer: laden Sie die Datei neu herunter.</translation>
  </message>
  <message>
   <source>a safetensors file</source>
   <translation>eine Safetensors-Datei</translation>
  </message>
  <message>
   <source>something else</source>
   <translation>etwas anderes</translation>
  </message>
  <message>
   <source>{file} is not a model in GGUF format but {what}: choose the GGUF file.</source>
   <translation>{file} ist kein Modell im GGUF-Format, sondern {what}: wählen Sie die GGUF-Datei.</translation>
  </message>
  <message>
   <source>{file} keeps its reader busy for too long: it is not a model that can be used.</source>
   <translation>{file} beschäftigt den Leser zu lange: die Datei ist kein brauchbares Modell.</translation>
  </message>
  <message>
   <source>{file} brings its reader down: it is damaged; choose another file.</source>
   <translation>{file} bringt den Leser zum Absturz: die Datei ist beschädigt; wählen Sie eine andere.</translation>
  </message>
  <message>
   <source>{host} now offers another {name} than the one that was begun: cancel this download and start it again.</source>
   <translation>{host} bietet jetzt ein anderes {name} an als das begonnene: brechen Sie den Download ab und beginnen Sie neu.</translation>
  </message>
  <message>
   <source>{host} answers with a web page instead of the file (a login page?)</source>
   <translation>{host} antwortet mit einer Webseite statt der Datei (eine Anmeldeseite?)</translation>
  </message>
  <message>
   <source>{host} sends whole files only, so a download from there could not be continued: choose another address.</source>
   <translation>{host} sendet nur ganze Dateien, ein Download von dort ließe sich nicht fortsetzen: wählen Sie eine andere Adresse.</translation>
  </message>
  <message>
   <source>{host} sends the whole file instead of a part</source>
   <translation>{host} sendet die ganze Datei statt eines Teils</translation>
  </message>
  <message>
   <source>{host} changes the file on the way</source>
   <translation>{host} verändert die Datei unterwegs</translation>
  </message>
  <message>
   <source>{host} sends another part than the one asked for</source>
   <translation>{host} sendet einen anderen Teil als den verlangten</translation>
  </message>
  <message>
   <source>{host} says that the file has changed</source>
   <translation>{host} sagt, die Datei habe sich geändert</translation>
  </message>
  <message>
   <source>{host} ends too early</source>
   <translation>{host} hört zu früh auf</translation>
  </message>
  <message>
   <source>{host} has sent next to nothing for {seconds} seconds</source>
   <translation>{host} hat seit {seconds} Sekunden fast nichts gesendet</translation>
  </message>
  <message>
   <source>{host} sends us astray ({error})</source>
   <translation>{host} leitet in die Irre ({error})</translation>
  </message>
  <message>
   <source>The connection to {host} broke</source>
   <translation>Die Verbindung zu {host} ist abgerissen</translation>
  </message>
 </context>
 <context>
  <name>DownloadScreen</name>
  <message>
   <source>It goes on after a pause, a restart or a lost connection, and is checked byte by byte. You find it under Models, behind the button at the top right.</source>
   <translation>Es geht nach Pause, Neustart oder Verbindungsverlust weiter und wird Byte für Byte geprüft. Du findest es unter Modelle, hinter dem Knopf oben rechts.</translation>
  </message>
  <message>
   <source>Talk to the guide meanwhile</source>
   <translation>Inzwischen mit dem Begleiter reden</translation>
  </message>
  <message>
   <source>The download stopped</source>
   <translation>Der Download hat angehalten</translation>
  </message>
  <message>
   <source>What has arrived is kept. You can go on now or at any other time.</source>
   <translation>Was da ist, bleibt. Es kann jetzt oder später weitergehen.</translation>
  </message>
  <message>
   <source>The model is on its way</source>
   <translation>Das Modell ist unterwegs</translation>
  </message>
  <message>
   <source>Meanwhile the built-in guide answers: a small demonstration that knows Sfumato and text diffusion.</source>
   <translation>Inzwischen antwortet der eingebaute Begleiter: eine kleine Vorführung, die Sfumato und Textdiffusion kennt.</translation>
  </message>
 </context>
 <context>
  <name>DownloadsPage</name>
  <message>
   <source>Downloads</source>
   <translation>Downloads</translation>
  </message>
  <message>
   <source>Reset</source>
   <translation>Zurücksetzen</translation>
  </message>
  <message>
   <source>Keep models in</source>
   <translation>Modelle ablegen in</translation>
  </message>
  <message>
   <source>For new downloads; what is here already stays where it is.</source>
   <translation>Für neue Downloads; was schon da ist, bleibt, wo es ist.</translation>
  </message>
  <message>
   <source>Choose…</source>
   <translation>Wählen …</translation>
  </message>
  <message>
   <source>Ask this hub</source>
   <translation>Diesen Hub fragen</translation>
  </message>
  <message>
   <source>A mirror, where huggingface.co cannot be reached; it never sees your token.</source>
   <translation>Ein Spiegel, wo huggingface.co nicht zu erreichen ist; dein Token sieht er nie.</translation>
  </message>
  <message>
   <source>As fast as it goes</source>
   <translation>So schnell es geht</translation>
  </message>
  <message>
   <source>Speed at most</source>
   <translation>Höchste Geschwindigkeit</translation>
  </message>
  <message>
   <source>Of each download, those under way too.</source>
   <translation>Jedes Downloads, auch der laufenden.</translation>
  </message>
 </context>
 <context>
  <name>Engine</name>
  <message>
   <source>{file} {fact}; download the model again or choose another.</source>
   <translation>{file} {fact}; laden Sie das Modell neu herunter oder wählen Sie ein anderes.</translation>
  </message>
  <message>
   <source>no vector kernels, slow</source>
   <translation>keine Vektorkerne, langsam</translation>
  </message>
  <message>
   <source>On the CPU ({name}, {detail})</source>
   <translation>Auf der CPU ({name}, {detail})</translation>
  </message>
  <message>
   <source>{place}, as chosen.</source>
   <translation>{place}, wie gewählt.</translation>
  </message>
  <message>
   <source>{place}: {why}.</source>
   <translation>{place}: {why}.</translation>
  </message>
  <message>
   <source>There is no device “{requested}” here; choose one of {names}.</source>
   <translation>Ein Gerät „{requested}“ gibt es hier nicht; wählen Sie eines von {names}.</translation>
  </message>
  <message>
   <source>{gpu} cannot be used ({reason}); choose the CPU.</source>
   <translation>{gpu} lässt sich nicht nutzen ({reason}); wählen Sie die CPU.</translation>
  </message>
  <message>
   <source>there is no NVIDIA GPU that this build can use</source>
   <translation>es gibt keine NVIDIA-GPU, die diese Ausgabe nutzen kann</translation>
  </message>
  <message>
   <source>{needed} GB are needed, {free} GB are free</source>
   <translation>{needed} GB werden gebraucht, {free} GB sind frei</translation>
  </message>
  <message>
   <source>{gpu} has too little memory, {memory}</source>
   <translation>{gpu} hat zu wenig Speicher, {memory}</translation>
  </message>
  <message>
   <source>On {gpu}</source>
   <translation>Auf {gpu}</translation>
  </message>
  <message>
   <source>{count} cores, {instructions}</source>
   <translation>{count} Kerne, {instructions}</translation>
  </message>
  <message>
   <source>compute capability {capability}, CUDA {driver}</source>
   <translation>Compute Capability {capability}, CUDA {driver}</translation>
  </message>
  <message>
   <source>There is not enough memory: {said}.</source>
   <translation>Der Speicher reicht nicht: {said}.</translation>
  </message>
  <message>
   <source>none is left</source>
   <translation>es ist keiner mehr frei</translation>
  </message>
  <message>
   <source>Close other programs, or choose a shorter context or a smaller model.</source>
   <translation>Schließen Sie andere Programme, oder wählen Sie einen kürzeren Kontext oder ein kleineres Modell.</translation>
  </message>
  <message>
   <source>The model could not be computed: {error}.</source>
   <translation>Das Modell ließ sich nicht berechnen: {error}.</translation>
  </message>
  <message>
   <source>Start the engine again, check the model file, or choose another device.</source>
   <translation>Starten Sie die Engine neu, prüfen Sie die Modelldatei oder wählen Sie ein anderes Gerät.</translation>
  </message>
  <message>
   <source>The engine made a mistake ({kind}: {error}).</source>
   <translation>Die Engine hat einen Fehler gemacht ({kind}: {error}).</translation>
  </message>
  <message>
   <source>Try again; if it happens again, please report it with the details.</source>
   <translation>Versuchen Sie es noch einmal; geschieht es wieder, melden Sie es bitte mit den Einzelheiten.</translation>
  </message>
  <message>
   <source>Try again.</source>
   <translation>Versuchen Sie es noch einmal.</translation>
  </message>
  <message>
   <source>download it again</source>
   <translation>laden Sie sie neu herunter</translation>
  </message>
  <message>
   <source>choose a DiffusionGemma file (GGUF)</source>
   <translation>wählen Sie eine DiffusionGemma-Datei (GGUF)</translation>
  </message>
  <message>
   <source>does not exist</source>
   <translation>gibt es nicht</translation>
  </message>
  <message>
   <source>is not a file</source>
   <translation>ist keine Datei</translation>
  </message>
  <message>
   <source>{file} {fact}; choose the model file again.</source>
   <translation>{file} {fact}; wählen Sie die Modelldatei neu.</translation>
  </message>
  <message>
   <source>{file} cannot be read ({reason}); check the disk and the file's permissions.</source>
   <translation>{file} ist nicht lesbar ({reason}); prüfen Sie die Platte und die Rechte der Datei.</translation>
  </message>
  <message>
   <source>{file} {fact}; {way_out}.</source>
   <translation>{file} {fact}; {way_out}.</translation>
  </message>
  <message>
   <source>ends in the middle of its header, after {size} bytes</source>
   <translation>endet mitten im Kopf, nach {size} Bytes</translation>
  </message>
  <message>
   <source>does not say what model it is</source>
   <translation>sagt nicht, welches Modell sie ist</translation>
  </message>
  <message>
   <source>is a “{kind}” model</source>
   <translation>ist ein „{kind}“-Modell</translation>
  </message>
  <message>
   <source>is one of {count} parts of a model</source>
   <translation>ist einer von {count} Teilen eines Modells</translation>
  </message>
  <message>
   <source>join them with “llama-gguf-split --merge” or download a model in one file</source>
   <translation>fügen Sie die Teile mit „llama-gguf-split --merge“ zusammen oder laden Sie ein Modell in einer Datei herunter</translation>
  </message>
  <message>
   <source>has no “{name}” vocabulary</source>
   <translation>hat kein „{name}“-Vokabular</translation>
  </message>
  <message>
   <source>choose another file of this model</source>
   <translation>wählen Sie eine andere Datei dieses Modells</translation>
  </message>
  <message>
   <source>is not a GGUF file</source>
   <translation>ist keine GGUF-Datei</translation>
  </message>
  <message>
   <source>was written for big-endian machines</source>
   <translation>ist für Big-Endian-Rechner geschrieben</translation>
  </message>
  <message>
   <source>download the usual, little-endian file</source>
   <translation>laden Sie die übliche Little-Endian-Datei herunter</translation>
  </message>
  <message>
   <source>has GGUF version {version}, Sfumato reads version {ours}</source>
   <translation>hat die GGUF-Version {version}, Sfumato liest Version {ours}</translation>
  </message>
  <message>
   <source>download a current file of this model</source>
   <translation>laden Sie eine aktuelle Datei dieses Modells herunter</translation>
  </message>
  <message>
   <source>holds weights of type {type} (“{name}”), which Sfumato cannot compute</source>
   <translation>enthält Gewichte vom Typ {type} („{name}“), die Sfumato nicht berechnen kann</translation>
  </message>
  <message>
   <source>choose a Q4_K_M, Q5_K_M, Q6_K, Q8_0 or BF16 file of this model</source>
   <translation>wählen Sie eine Datei dieses Modells in Q4_K_M, Q5_K_M, Q6_K, Q8_0 oder BF16</translation>
  </message>
  <message>
   <source>has {size} bytes, its tensor “{name}” would end at {end}</source>
   <translation>hat {size} Bytes, ihr Tensor „{name}“ würde bei {end} enden</translation>
  </message>
  <message>
   <source>The {name} canvas has {cells} cells, not {length}.</source>
   <translation>Der Canvas „{name}“ hat {cells} Zellen statt {length}.</translation>
  </message>
  <message>
   <source>There is nothing to answer; write a message first.</source>
   <translation>Es gibt nichts zu beantworten; schreiben Sie zuerst eine Nachricht.</translation>
  </message>
  <message>
   <source>An answer of {blocks} blocks is not possible.</source>
   <translation>Eine Antwort aus {blocks} Blöcken ist nicht möglich.</translation>
  </message>
  <message>
   <source>The conversation takes {tokens} tokens and a block of the answer {canvas}, but the context holds {context}; start a new chat, shorten the messages, or load the model with a longer context.</source>
   <translation>Das Gespräch braucht {tokens} Token und ein Block der Antwort {canvas}, doch der Kontext fasst {context}; beginnen Sie ein neues Gespräch, kürzen Sie die Nachrichten oder laden Sie das Modell mit längerem Kontext.</translation>
  </message>
  <message>
   <source>The words take {tokens} tokens and there is room for {room}; write fewer words or select more text.</source>
   <translation>Die Wörter brauchen {tokens} Token, und es ist Platz für {room}; schreiben Sie weniger Wörter oder wählen Sie mehr Text aus.</translation>
  </message>
  <message>
   <source>A context of {context} tokens has no room for a block of {canvas} and a question; choose at least {least}.</source>
   <translation>Ein Kontext von {context} Token hat keinen Platz für einen Block von {canvas} und eine Frage; wählen Sie mindestens {least}.</translation>
  </message>
  <message>
   <source>{file} has no vocabulary that can be read; download the model again or choose another.</source>
   <translation>{file} hat kein lesbares Vokabular; laden Sie das Modell neu herunter oder wählen Sie ein anderes.</translation>
  </message>
  <message>
   <source>{file} has no “{name}” in its vocabulary, which a conversation needs; choose another file of this model.</source>
   <translation>{file} hat kein „{name}“ im Vokabular, das ein Gespräch braucht; wählen Sie eine andere Datei dieses Modells.</translation>
  </message>
  <message>
   <source>{file} holds no arrays ({error}); choose an .npz file.</source>
   <translation>{file} enthält keine Arrays ({error}); wählen Sie eine .npz-Datei.</translation>
  </message>
  <message>
   <source>{file} lacks “{name}”; make it with the model file again.</source>
   <translation>{file} fehlt „{name}“; erzeugen Sie die Datei mit der Modelldatei neu.</translation>
  </message>
  <message>
   <source>No model is loaded; choose one first.</source>
   <translation>Es ist kein Modell geladen; wählen Sie zuerst eines.</translation>
  </message>
  <message>
   <source>The engine could not read a request: {error}.</source>
   <translation>Die Engine konnte eine Anfrage nicht lesen: {error}.</translation>
  </message>
  <message>
   <source>Start the engine again; the conversation is safe.</source>
   <translation>Starten Sie die Engine neu; das Gespräch ist sicher.</translation>
  </message>
 </context>
 <context>
  <name>EngineClient</name>
  <message>
   <source>Start the engine again; the conversation is safe.</source>
   <translation>Starten Sie die Engine neu; das Gespräch ist sicher.</translation>
  </message>
  <message>
   <source>Install Sfumato again, so that window and engine come from one version.</source>
   <translation>Installieren Sie Sfumato neu, damit Fenster und Engine aus einer Version stammen.</translation>
  </message>
  <message>
   <source>The engine is not running; start it again.</source>
   <translation>Die Engine läuft nicht; starten Sie sie neu.</translation>
  </message>
  <message>
   <source>The engine was closed before the answer was finished.</source>
   <translation>Die Engine wurde beendet, bevor die Antwort fertig war.</translation>
  </message>
  <message>
   <source>Ask again, or continue the answer.</source>
   <translation>Fragen Sie noch einmal, oder setzen Sie die Antwort fort.</translation>
  </message>
  <message>
   <source>The engine sent something unreadable ({error}).</source>
   <translation>Die Engine hat etwas Unlesbares gesendet ({error}).</translation>
  </message>
  <message>
   <source>The engine speaks version {engine}, the window speaks version {window}.</source>
   <translation>Die Engine spricht Version {engine}, das Fenster Version {window}.</translation>
  </message>
  <message>
   <source>The engine could not be started ({reason}).</source>
   <translation>Die Engine ließ sich nicht starten ({reason}).</translation>
  </message>
  <message>
   <source>The engine ended (exit code {code}).</source>
   <translation>Die Engine hat sich beendet (Code {code}).</translation>
  </message>
  <message>
   <source>The engine ended while it was starting (exit code {code}).</source>
   <translation>Die Engine hat sich beim Start beendet (Code {code}).</translation>
  </message>
  <message>
   <source>The engine was ended by the system, perhaps because memory ran out (SIGKILL).</source>
   <translation>Das System hat die Engine beendet, vielleicht weil der Speicher ausging (SIGKILL).</translation>
  </message>
  <message>
   <source>Close other programs or choose a smaller model or context, then start it again.</source>
   <translation>Schließen Sie andere Programme oder wählen Sie ein kleineres Modell oder einen kürzeren Kontext, dann starten Sie sie neu.</translation>
  </message>
  <message>
   <source>The engine could no longer read the model file (SIGBUS).</source>
   <translation>Die Engine konnte die Modelldatei nicht weiterlesen (SIGBUS).</translation>
  </message>
  <message>
   <source>Check that the file is complete and its drive connected, then start it again.</source>
   <translation>Prüfen Sie, ob die Datei vollständig und ihr Laufwerk verbunden ist, dann starten Sie sie neu.</translation>
  </message>
  <message>
   <source>The engine was ended from outside ({name}).</source>
   <translation>Die Engine wurde von außen beendet ({name}).</translation>
  </message>
  <message>
   <source>The engine crashed ({name}).</source>
   <translation>Die Engine ist abgestürzt ({name}).</translation>
  </message>
  <message>
   <source>The engine is not running.</source>
   <translation>Die Engine läuft nicht.</translation>
  </message>
  <message>
   <source>Start it again; the conversation is safe.</source>
   <translation>Starten Sie sie neu; das Gespräch ist sicher.</translation>
  </message>
 </context>
 <context>
  <name>FirstRun</name>
  <message>
   <source>Back</source>
   <translation>Zurück</translation>
  </message>
  <message>
   <source>Skip</source>
   <translation>Überspringen</translation>
  </message>
 </context>
 <context>
  <name>Fit</name>
  <message>
   <source>Fits {gpu} with {context}k context: needs {needed}, {free}.</source>
   <translation>Passt auf {gpu} mit {context}k Kontext: braucht {needed}, {free}.</translation>
  </message>
  <message>
   <source>Fits {gpu} with {context}k context: needs {needed}, {free}, about {time} ms per step.</source>
   <translation>Passt auf {gpu} mit {context}k Kontext: braucht {needed}, {free}, etwa {time} ms je Schritt.</translation>
  </message>
  <message>
   <source>Fits with {away} of experts in main memory.</source>
   <translation>Passt mit {away} der Experten im Hauptspeicher.</translation>
  </message>
  <message>
   <source>Fits with {away} of experts in main memory, about {time} ms per step.</source>
   <translation>Passt mit {away} der Experten im Hauptspeicher, etwa {time} ms je Schritt.</translation>
  </message>
  <message>
   <source>No card can be used.</source>
   <translation>Keine Karte lässt sich nutzen.</translation>
  </message>
  <message>
   <source>{gpu} has too little memory (needs {needed}, {free}).</source>
   <translation>{gpu} hat zu wenig Speicher (nötig sind {needed}, {free}).</translation>
  </message>
  <message>
   <source>{why}: CPU only.</source>
   <translation>{why}: nur CPU.</translation>
  </message>
  <message>
   <source>{why}: CPU only, about {time} s per step.</source>
   <translation>{why}: nur CPU, etwa {time} s je Schritt.</translation>
  </message>
  <message>
   <source>{why}, and the processor lacks AVX2: won't run.</source>
   <translation>{why}, und dem Prozessor fehlt AVX2: läuft hier nicht.</translation>
  </message>
  <message>
   <source>Won't fit: needs {needed} of main memory, {free}. {why}.</source>
   <translation>Passt nicht: braucht {needed} Hauptspeicher, {free}. {why}.</translation>
  </message>
  <message>
   <source>{free} free without the loaded model</source>
   <translation>{free} frei ohne das geladene Modell</translation>
  </message>
  <message>
   <source>{free} free</source>
   <translation>{free} frei</translation>
  </message>
  <message>
   <source>{size} GB</source>
   <translation>{size} GB</translation>
  </message>
 </context>
 <context>
  <name>Folders</name>
  <message>
   <source>There is a folder named “{name}” already; choose another name.</source>
   <translation>Einen Ordner namens „{name}“ gibt es schon; wähle einen anderen Namen.</translation>
  </message>
 </context>
 <context>
  <name>FullContext</name>
  <message>
   <source>Leave out the oldest messages</source>
   <translation>Älteste Nachrichten weglassen</translation>
  </message>
  <message>
   <source>Go on in a new chat with a summary</source>
   <translation>Mit einer Zusammenfassung neu weitermachen</translation>
  </message>
  <message>
   <source>New chat</source>
   <translation>Neues Gespräch</translation>
  </message>
  <message>
   <source>%1 (continued)</source>
   <translation>%1 (Fortsetzung)</translation>
  </message>
  <message>
   <source>Summing up the earlier messages: part %1 of %2, step %3</source>
   <translation>Fasst die früheren Nachrichten zusammen: Teil %1 von %2, Schritt %3</translation>
  </message>
  <message>
   <source>Cancel</source>
   <translation>Abbrechen</translation>
  </message>
  <message>
   <source>The conversation goes on here, from a summary; the earlier chat is unchanged.</source>
   <translation>Hier geht es mit einer Zusammenfassung weiter; das frühere Gespräch ist unverändert.</translation>
  </message>
 </context>
 <context>
  <name>GpuDialog</name>
  <message>
   <source>GPU</source>
   <translation>GPU</translation>
  </message>
  <message>
   <source>Diagnostics</source>
   <translation>Diagnose</translation>
  </message>
  <message>
   <source>Your name and your folders are masked. Nothing is sent anywhere.</source>
   <translation>Dein Name und deine Ordner sind unkenntlich. Nichts wird verschickt.</translation>
  </message>
  <message>
   <source>Copy diagnostics</source>
   <translation>Diagnose kopieren</translation>
  </message>
  <message>
   <source>Look again</source>
   <translation>Noch einmal nachsehen</translation>
  </message>
  <message>
   <source>Start the engine again</source>
   <translation>Rechenwerk neu starten</translation>
  </message>
  <message>
   <source>Close</source>
   <translation>Schließen</translation>
  </message>
  <message>
   <source>Copied</source>
   <translation>Kopiert</translation>
  </message>
  <message>
   <source>Your GPU is used</source>
   <translation>Deine GPU rechnet</translation>
  </message>
  <message>
   <source>Why is my GPU not used?</source>
   <translation>Warum rechnet meine GPU nicht?</translation>
  </message>
  <message>
   <source>Looking at this computer …</source>
   <translation>Dieser Rechner wird angesehen …</translation>
  </message>
  <message>
   <source>The driver says</source>
   <translation>Der Treiber sagt</translation>
  </message>
  <message>
   <source>The engine says</source>
   <translation>Das Rechenwerk sagt</translation>
  </message>
  <message>
   <source>The model</source>
   <translation>Das Modell</translation>
  </message>
  <message>
   <source>%1, driver %2, compute capability %3</source>
   <translation>%1, Treiber %2, Compute Capability %3</translation>
  </message>
  <message>
   <source>In main memory</source>
   <translation>Im Hauptspeicher</translation>
  </message>
  <message>
   <source>Rounding</source>
   <translation>Rundung</translation>
  </message>
  <message>
   <source>%1 of experts that the card has no room for; each layer's are sent a layer ahead.</source>
   <translation>%1 an Experten, für die auf der Karte kein Platz ist; die jeder Schicht kommen eine Schicht im Voraus.</translation>
  </message>
  <message>
   <source>Experts of 8 bits are kept in 5. The error, measured while loading: %1 %.</source>
   <translation>Experten mit 8 Bit liegen in 5 Bit. Der Fehler, beim Laden gemessen: %1 %.</translation>
  </message>
 </context>
 <context>
  <name>HelloScreen</name>
  <message>
   <source>An answer that comes into focus</source>
   <translation>Eine Antwort, die scharf wird</translation>
  </message>
  <message>
   <source>Sfumato runs Google's DiffusionGemma on your own computer: the model writes a whole block of text at once, out of noise, and refines it until it reads. Nothing you write leaves this computer.</source>
   <translation>Sfumato lässt Googles DiffusionGemma auf deinem Rechner laufen: Das Modell schreibt einen ganzen Textblock auf einmal, aus Rauschen, und verfeinert ihn, bis er sich liest. Nichts, was du schreibst, verlässt diesen Rechner.</translation>
  </message>
  <message>
   <source>Fast, not flawless: it makes more mistakes than Gemma 4 of the same size, which Google recommends where quality matters most. Check what matters.</source>
   <translation>Schnell, nicht fehlerfrei: Es macht mehr Fehler als Gemma 4 gleicher Größe, das Google empfiehlt, wo es vor allem auf Güte ankommt. Prüfe, worauf es ankommt.</translation>
  </message>
  <message>
   <source>Recorded from: %1. Asked: “%2”</source>
   <translation>Aufgezeichnet von: %1. Gefragt: „%2“</translation>
  </message>
  <message>
   <source>Drawn for this page, not computed. Asked: “%2”</source>
   <translation>Für diese Seite gezeichnet, nicht gerechnet. Gefragt: „%2“</translation>
  </message>
 </context>
 <context>
  <name>LiveAnswer</name>
  <message>
   <source>Answer, being written</source>
   <translation>Antwort, wird geschrieben</translation>
  </message>
  <message>
   <source>The block being written</source>
   <translation>Der Block, der geschrieben wird</translation>
  </message>
  <message>
   <source>Writing, block %1</source>
   <translation>Schreibt, Block %1</translation>
  </message>
  <message>
   <source>Block %1 done</source>
   <translation>Block %1 fertig</translation>
  </message>
  <message>
   <source>Answer</source>
   <translation>Antwort</translation>
  </message>
  <message>
   <source>Thinking</source>
   <translation>Gedanken</translation>
  </message>
 </context>
 <context>
  <name>Machine</name>
  <message>
   <source>The NVIDIA driver does not answer ({error}): restart the computer.</source>
   <translation>Der NVIDIA-Treiber antwortet nicht ({error}): starte den Rechner neu.</translation>
  </message>
  <message>
   <source>The NVIDIA driver is there but reports no card: is it switched on and plugged in?</source>
   <translation>Der NVIDIA-Treiber ist da, meldet aber keine Karte: Ist sie eingesteckt und eingeschaltet?</translation>
  </message>
  <message>
   <source>{gpu} cannot be used: {reason}.</source>
   <translation>{gpu} lässt sich nicht nutzen: {reason}.</translation>
  </message>
  <message>
   <source>{one}; {others}.</source>
   <translation>{one}; {others}.</translation>
  </message>
  <message>
   <source>its compute capability is {has} and {least} is needed (RTX 30 and later)</source>
   <translation>die Compute Capability ist {has}, nötig ist {least} (RTX 30 und neuer)</translation>
  </message>
  <message>
   <source>its driver {has} is too old, {least} or later is needed</source>
   <translation>der Treiber {has} ist zu alt, nötig ist {least} oder neuer</translation>
  </message>
  <message>
   <source>The NVIDIA driver was updated while in use: restart the computer.</source>
   <translation>Der NVIDIA-Treiber wurde im Betrieb erneuert: starte den Rechner neu.</translation>
  </message>
  <message>
   <source>This computer has no NVIDIA card.</source>
   <translation>Dieser Rechner hat keine NVIDIA-Karte.</translation>
  </message>
  <message>
   <source>The NVIDIA driver may not be used by this account: ask whoever runs this computer.</source>
   <translation>Dieses Konto darf den NVIDIA-Treiber nicht nutzen: fragen Sie, wer den Rechner verwaltet.</translation>
  </message>
  <message>
   <source>No NVIDIA driver was found.</source>
   <translation>Es wurde kein NVIDIA-Treiber gefunden.</translation>
  </message>
  <message>
   <source>There is an NVIDIA card but no working driver.</source>
   <translation>Es gibt eine NVIDIA-Karte, aber keinen Treiber, der arbeitet.</translation>
  </message>
  <message>
   <source>{have} ({error}): install driver {least} or later and restart the computer.</source>
   <translation>{have} ({error}): installiere Treiber {least} oder neuer und starte den Rechner neu.</translation>
  </message>
 </context>
 <context>
  <name>MachineScreen</name>
  <message>
   <source>I already have a file…</source>
   <translation>Ich habe schon eine Datei …</translation>
  </message>
  <message>
   <source>GPU</source>
   <translation>GPU</translation>
  </message>
  <message>
   <source>Processor</source>
   <translation>Prozessor</translation>
  </message>
  <message>
   <source>Memory</source>
   <translation>Speicher</translation>
  </message>
  <message>
   <source>Disk</source>
   <translation>Platte</translation>
  </message>
  <message>
   <source>Model file</source>
   <translation>Modelldatei</translation>
  </message>
  <message>
   <source>Context</source>
   <translation>Kontext</translation>
  </message>
  <message>
   <source>Use the built-in guide</source>
   <translation>Den eingebauten Begleiter nehmen</translation>
  </message>
  <message>
   <source>Use it</source>
   <translation>Nehmen</translation>
  </message>
  <message>
   <source>Go on with the download</source>
   <translation>Download fortsetzen</translation>
  </message>
  <message>
   <source>Download %1</source>
   <translation>%1 laden</translation>
  </message>
  <message>
   <source>This computer</source>
   <translation>Dieser Rechner</translation>
  </message>
  <message>
   <source>Looking at this computer …</source>
   <translation>Dieser Rechner wird angesehen …</translation>
  </message>
  <message>
   <source>Its card holds the whole model: answers come fast.</source>
   <translation>Seine Karte fasst das ganze Modell: Antworten kommen schnell.</translation>
  </message>
  <message>
   <source>Its card holds the model in part.</source>
   <translation>Seine Karte fasst einen Teil des Modells.</translation>
  </message>
  <message>
   <source>The model runs here on the processor: slowly.</source>
   <translation>Das Modell läuft hier auf dem Prozessor: langsam.</translation>
  </message>
  <message>
   <source>This file is too large for this computer.</source>
   <translation>Diese Datei ist zu groß für diesen Rechner.</translation>
  </message>
  <message>
   <source>No published file runs here yet. The built-in guide does, and shows how text diffusion works.</source>
   <translation>Noch läuft hier keine veröffentlichte Datei. Der eingebaute Begleiter schon, und er zeigt, wie Textdiffusion geht.</translation>
  </message>
  <message>
   <source>%1k tokens</source>
   <translation>%1k Token</translation>
  </message>
  <message>
   <source>Card</source>
   <translation>Karte</translation>
  </message>
  <message>
   <source>weights %1</source>
   <translation>Gewichte %1</translation>
  </message>
  <message>
   <source>conversation %1</source>
   <translation>Gespräch %1</translation>
  </message>
  <message>
   <source>workspace %1</source>
   <translation>Arbeitsspeicher %1</translation>
  </message>
  <message>
   <source>%1 left</source>
   <translation>%1 frei</translation>
  </message>
  <message>
   <source>%1 too much</source>
   <translation>%1 zu viel</translation>
  </message>
  <message>
   <source>%1 is here already, in the folder of %2.</source>
   <translation>%1 ist schon da, im Ordner von %2.</translation>
  </message>
  <message>
   <source>Use this file</source>
   <translation>Diese Datei nehmen</translation>
  </message>
 </context>
 <context>
  <name>MachineWords</name>
  <message>
   <source>%1 held by the loaded model</source>
   <translation>%1 hält das geladene Modell</translation>
  </message>
  <message>
   <source>%1 of %2 free</source>
   <translation>%1 von %2 frei</translation>
  </message>
  <message>
   <source>%1 free</source>
   <translation>%1 frei</translation>
  </message>
  <message>
   <source>%1 of memory free</source>
   <translation>%1 Speicher frei</translation>
  </message>
  <message>
   <source>%1 of disk free</source>
   <translation>%1 Platte frei</translation>
  </message>
 </context>
 <context>
  <name>MainWindow</name>
  <message>
   <source>Saved as %1</source>
   <translation>Gesichert als %1</translation>
  </message>
  <message>
   <source>Starting the engine …</source>
   <translation>Das Rechenwerk startet …</translation>
  </message>
  <message>
   <source>Loading the model, %1 % …</source>
   <translation>Das Modell wird geladen, %1 % …</translation>
  </message>
  <message>
   <source>Reading the conversation …</source>
   <translation>Das Gespräch wird gelesen …</translation>
  </message>
  <message numerus="yes">
   <source>%n token(s) read</source>
   <translation>
    <numerusform>%n Token gelesen</numerusform>
    <numerusform>%n Token gelesen</numerusform>
   </translation>
  </message>
  <message>
   <source>%1 left in the context</source>
   <translation>%1 im Kontext frei</translation>
  </message>
  <message>
   <source>Open this link?</source>
   <translation>Diesen Link öffnen?</translation>
  </message>
  <message>
   <source>The link says “%1” but opens:</source>
   <translation>Der Link sagt „%1“, öffnet aber:</translation>
  </message>
  <message>
   <source>Open</source>
   <translation>Öffnen</translation>
  </message>
  <message>
   <source>Cancel</source>
   <translation>Abbrechen</translation>
  </message>
  <message>
   <source>Save elsewhere…</source>
   <translation>Anderswo sichern …</translation>
  </message>
  <message>
   <source>Sfumato did not end properly last time, so the model is not loaded yet.</source>
   <translation>Sfumato endete beim letzten Mal nicht ordentlich, darum ist das Modell noch nicht geladen.</translation>
  </message>
  <message>
   <source>Load it</source>
   <translation>Laden</translation>
  </message>
  <message>
   <source>Start again</source>
   <translation>Neu starten</translation>
  </message>
  <message>
   <source>Use the built-in guide</source>
   <translation>Den eingebauten Begleiter nehmen</translation>
  </message>
  <message>
   <source>New chat</source>
   <translation>Neues Gespräch</translation>
  </message>
  <message>
   <source>“%1” deleted</source>
   <translation>„%1“ gelöscht</translation>
  </message>
  <message>
   <source>Undo</source>
   <translation>Rückgängig</translation>
  </message>
  <message>
   <source>Message deleted</source>
   <translation>Nachricht gelöscht</translation>
  </message>
  <message>
   <source>Export</source>
   <translation>Exportieren</translation>
  </message>
  <message>
   <source>Import</source>
   <translation>Importieren</translation>
  </message>
  <message numerus="yes">
   <source>%n chat(s) imported</source>
   <translation>
    <numerusform>%n Gespräch importiert</numerusform>
    <numerusform>%n Gespräche importiert</numerusform>
   </translation>
  </message>
  <message>
   <source>Built-in guide</source>
   <translation>Eingebauter Begleiter</translation>
  </message>
  <message>
   <source>not started</source>
   <translation>nicht gestartet</translation>
  </message>
  <message>
   <source>starting</source>
   <translation>startet</translation>
  </message>
  <message>
   <source>loading %1 %</source>
   <translation>lädt, %1 %</translation>
  </message>
  <message>
   <source>not running</source>
   <translation>läuft nicht</translation>
  </message>
  <message>
   <source>Ask the built-in guide</source>
   <translation>Frag den eingebauten Begleiter (englisch)</translation>
  </message>
  <message>
   <source>Ask anything</source>
   <translation>Frag etwas</translation>
  </message>
  <message>
   <source>Use a file of mine</source>
   <translation>Eigene Datei nehmen</translation>
  </message>
  <message>
   <source>%1 is here</source>
   <translation>%1 ist da</translation>
  </message>
  <message>
   <source>Use it</source>
   <translation>Nehmen</translation>
  </message>
  <message>
   <source>Test again</source>
   <translation>Noch einmal prüfen</translation>
  </message>
  <message>
   <source>%1 of %2 tokens</source>
   <translation>%1 von %2 Token</translation>
  </message>
  <message>
   <source>Folder “%1” deleted; its chats are still there</source>
   <translation>Ordner „%1“ gelöscht; seine Gespräche sind noch da</translation>
  </message>
  <message>
   <source>The context is full: the answer ends here.</source>
   <translation>Der Kontext ist voll: Hier endet die Antwort.</translation>
  </message>
  <message>
   <source>%1 of %2 tokens: no room for an answer</source>
   <translation>%1 von %2 Token: kein Platz für eine Antwort</translation>
  </message>
  <message>
   <source>The answer is ready.</source>
   <translation>Die Antwort ist fertig.</translation>
  </message>
  <message>
   <source>The answer could not be finished.</source>
   <translation>Die Antwort konnte nicht beendet werden.</translation>
  </message>
 </context>
 <context>
  <name>MessageWidget</name>
  <message>
   <source>You</source>
   <translation>Du</translation>
  </message>
  <message>
   <source>Answer</source>
   <translation>Antwort</translation>
  </message>
  <message>
   <source>Thinking</source>
   <translation>Gedanken</translation>
  </message>
  <message>
   <source>Shown as it is stored: “%1”</source>
   <translation>Gezeigt wie gespeichert: „%1“</translation>
  </message>
  <message>
   <source>The answer failed.</source>
   <translation>Die Antwort ist gescheitert.</translation>
  </message>
  <message>
   <source>Sfumato was closed while this was being written.</source>
   <translation>Sfumato wurde geschlossen, während dies geschrieben wurde.</translation>
  </message>
  <message>
   <source>Stopped</source>
   <translation>Angehalten</translation>
  </message>
  <message>
   <source>The longest answer allowed ends here.</source>
   <translation>Hier endet die längste erlaubte Antwort.</translation>
  </message>
  <message>
   <source>The context is full; the answer ends here.</source>
   <translation>Der Kontext ist voll; hier endet die Antwort.</translation>
  </message>
  <message>
   <source>Did not settle: a block ran out of steps before it was stable.</source>
   <translation>Nicht geklärt: einem Block gingen die Schritte aus, bevor er stabil war.</translation>
  </message>
  <message>
   <source>Edited by you</source>
   <translation>Von dir geändert</translation>
  </message>
  <message>
   <source>Copy message</source>
   <translation>Nachricht kopieren</translation>
  </message>
  <message>
   <source>Edit and send again</source>
   <translation>Ändern und neu senden</translation>
  </message>
  <message>
   <source>Try again</source>
   <translation>Noch einmal</translation>
  </message>
  <message>
   <source>Continue</source>
   <translation>Fortsetzen</translation>
  </message>
  <message>
   <source>Watch again</source>
   <translation>Noch einmal ansehen</translation>
  </message>
  <message>
   <source>How settled</source>
   <translation>Wie geklärt</translation>
  </message>
  <message>
   <source>More</source>
   <translation>Mehr</translation>
  </message>
  <message numerus="yes">
   <source>%n token(s)</source>
   <translation>
    <numerusform>%n Token</numerusform>
    <numerusform>%n Token</numerusform>
   </translation>
  </message>
  <message numerus="yes">
   <source>%n step(s)</source>
   <translation>
    <numerusform>%n Schritt</numerusform>
    <numerusform>%n Schritte</numerusform>
   </translation>
  </message>
  <message>
   <source>Copy conversation</source>
   <translation>Gespräch kopieren</translation>
  </message>
  <message>
   <source>Edit this answer</source>
   <translation>Diese Antwort ändern</translation>
  </message>
  <message>
   <source>New chat from here</source>
   <translation>Neues Gespräch von hier</translation>
  </message>
  <message>
   <source>Delete from here on</source>
   <translation>Ab hier löschen</translation>
  </message>
  <message>
   <source>Edit the message</source>
   <translation>Nachricht ändern</translation>
  </message>
  <message>
   <source>Send</source>
   <translation>Senden</translation>
  </message>
  <message>
   <source>Save</source>
   <translation>Sichern</translation>
  </message>
  <message>
   <source>Cancel</source>
   <translation>Abbrechen</translation>
  </message>
  <message>
   <source>Did not settle: what is underlined with dots ran out of steps before it was stable.</source>
   <translation>Nicht geklärt: Was gepunktet unterstrichen ist, hatte zu wenig Schritte, um stabil zu werden.</translation>
  </message>
  <message>
   <source>Summary of the earlier chat; the model reads it with each prompt</source>
   <translation>Zusammenfassung des früheren Gesprächs; das Modell liest sie bei jeder Frage mit</translation>
  </message>
  <message numerus="yes">
   <source>%n token(s) rewritten</source>
   <translation>
    <numerusform>%n Token neu geschrieben</numerusform>
    <numerusform>%n Token neu geschrieben</numerusform>
   </translation>
  </message>
 </context>
 <context>
  <name>ModelButton</name>
  <message>
   <source>Model</source>
   <translation>Modell</translation>
  </message>
 </context>
 <context>
  <name>ModelCard</name>
  <message>
   <source>Download</source>
   <translation>Laden</translation>
  </message>
  <message>
   <source>Go on</source>
   <translation>Weiter</translation>
  </message>
  <message>
   <source>Pause</source>
   <translation>Pause</translation>
  </message>
  <message>
   <source>Cancel</source>
   <translation>Abbrechen</translation>
  </message>
  <message>
   <source>Discard</source>
   <translation>Verwerfen</translation>
  </message>
  <message>
   <source>Use this file</source>
   <translation>Diese Datei nehmen</translation>
  </message>
  <message>
   <source>Check</source>
   <translation>Prüfen</translation>
  </message>
  <message>
   <source>Remove</source>
   <translation>Entfernen</translation>
  </message>
  <message>
   <source>Use</source>
   <translation>Nehmen</translation>
  </message>
  <message>
   <source>size unknown</source>
   <translation>Größe unbekannt</translation>
  </message>
  <message>
   <source>in use</source>
   <translation>in Gebrauch</translation>
  </message>
  <message>
   <source>checked</source>
   <translation>geprüft</translation>
  </message>
  <message>
   <source>on this computer</source>
   <translation>auf diesem Rechner</translation>
  </message>
  <message>
   <source>changed since it was checked</source>
   <translation>seit der Prüfung verändert</translation>
  </message>
  <message>
   <source>the file is gone</source>
   <translation>die Datei ist weg</translation>
  </message>
  <message>
   <source>%1 of %2 are here; the download goes on where it stopped.</source>
   <translation>%1 von %2 sind da; es geht weiter, wo es aufhörte.</translation>
  </message>
  <message>
   <source>Asking where the file is …</source>
   <translation>Es wird gefragt, wo die Datei liegt …</translation>
  </message>
  <message>
   <source>%1 of %2</source>
   <translation>%1 von %2</translation>
  </message>
  <message>
   <source>Checking, %1</source>
   <translation>Prüft, %1</translation>
  </message>
  <message>
   <source>Paused at %1</source>
   <translation>Pause bei %1</translation>
  </message>
  <message>
   <source>Waiting, %1</source>
   <translation>Wartet, %1</translation>
  </message>
  <message>
   <source>%1 s left</source>
   <translation>noch %1 s</translation>
  </message>
  <message>
   <source>%1 min left</source>
   <translation>noch %1 min</translation>
  </message>
  <message>
   <source>%1 h left</source>
   <translation>noch %1 h</translation>
  </message>
  <message>
   <source>found in the folder of %1</source>
   <translation>gefunden im Ordner von %1</translation>
  </message>
  <message>
   <source>Loading, %1 %</source>
   <translation>Lädt, %1 %</translation>
  </message>
  <message>
   <source>Load anyway…</source>
   <translation>Trotzdem laden …</translation>
  </message>
  <message>
   <source>Compact needs %1 less.</source>
   <translation>Kompakt braucht %1 weniger.</translation>
  </message>
  <message>
   <source>Another address…</source>
   <translation>Andere Adresse …</translation>
  </message>
 </context>
 <context>
  <name>ModelLibrary</name>
  <message>
   <source>The models could not be listed ({error}).</source>
   <translation>Die Modelle ließen sich nicht auflisten ({error}).</translation>
  </message>
  <message>
   <source>The download failed ({error}).</source>
   <translation>Der Download ist fehlgeschlagen ({error}).</translation>
  </message>
  <message>
   <source>Sfumato is being closed.</source>
   <translation>Sfumato wird gerade geschlossen.</translation>
  </message>
  <message>
   <source>{path} could not be read ({error}).</source>
   <translation>{path} ließ sich nicht lesen ({error}).</translation>
  </message>
 </context>
 <context>
  <name>ModelsPage</name>
  <message>
   <source>Models</source>
   <translation>Modelle</translation>
  </message>
  <message>
   <source>Use a file of mine…</source>
   <translation>Eigene Datei nehmen …</translation>
  </message>
  <message>
   <source>Back to the conversation</source>
   <translation>Zurück zum Gespräch</translation>
  </message>
  <message>
   <source>Test the model in use</source>
   <translation>Das Modell in Gebrauch prüfen</translation>
  </message>
  <message>
   <source>Introduction</source>
   <translation>Einführung</translation>
  </message>
  <message>
   <source>Downloads go on after a pause, a restart or a lost connection, and are checked byte by byte. Nothing else of Sfumato uses the network.</source>
   <translation>Downloads gehen nach Pause, Neustart oder Verbindungsverlust weiter und werden Byte für Byte geprüft. Sonst nutzt nichts in Sfumato das Netz.</translation>
  </message>
  <message>
   <source>Diagnostics</source>
   <translation>Diagnose</translation>
  </message>
  <message>
   <source>Why is my GPU not used?</source>
   <translation>Warum rechnet meine GPU nicht?</translation>
  </message>
  <message>
   <source>Testing the model in use …</source>
   <translation>Das Modell in Gebrauch wird geprüft …</translation>
  </message>
  <message>
   <source>Looking at this computer …</source>
   <translation>Dieser Rechner wird angesehen …</translation>
  </message>
  <message>
   <source>Built-in guide</source>
   <translation>Eingebauter Begleiter</translation>
  </message>
  <message>
   <source>A small demonstration, not DiffusionGemma; always here.</source>
   <translation>Eine kleine Vorführung, nicht DiffusionGemma; immer da.</translation>
  </message>
  <message>
   <source>Load anyway?</source>
   <translation>Trotzdem laden?</translation>
  </message>
  <message>
   <source>Loading may make this computer slow for minutes. If memory runs out, the load ends with a message; your chats are safe.</source>
   <translation>Das Laden kann diesen Rechner minutenlang langsam machen. Reicht der Speicher nicht, endet es mit einer Meldung; deine Gespräche sind sicher.</translation>
  </message>
  <message>
   <source>Load anyway</source>
   <translation>Trotzdem laden</translation>
  </message>
  <message>
   <source>Cancel</source>
   <translation>Abbrechen</translation>
  </message>
 </context>
 <context>
  <name>ProfileChoice</name>
  <message>
   <source>Weights in memory</source>
   <translation>Gewichte im Speicher</translation>
  </message>
  <message>
   <source>Exact</source>
   <translation>Exakt</translation>
  </message>
  <message>
   <source>Compact</source>
   <translation>Kompakt</translation>
  </message>
  <message>
   <source>Load the model again</source>
   <translation>Modell neu laden</translation>
  </message>
  <message>
   <source>As the file holds them.</source>
   <translation>So, wie die Datei sie enthält.</translation>
  </message>
  <message>
   <source>Needs less memory: experts of 8 bits are rounded to 5 while the model is loaded. Answers differ a little, and going back in a long chat means reading it again.</source>
   <translation>Braucht weniger Speicher: Experten mit 8 Bit werden beim Laden auf 5 gerundet. Antworten weichen etwas ab, und wer in einem langen Gespräch zurückgeht, lässt es neu lesen.</translation>
  </message>
  <message>
   <source>The model in use follows when it is loaded again.</source>
   <translation>Das Modell in Gebrauch folgt, wenn es neu geladen wird.</translation>
  </message>
  <message>
   <source>The error measured in the model in use: %1 %.</source>
   <translation>Der im geladenen Modell gemessene Fehler: %1 %.</translation>
  </message>
 </context>
 <context>
  <name>RecordingView</name>
  <message>
   <source>The canvas at the chosen step</source>
   <translation>Die Leinwand beim gewählten Schritt</translation>
  </message>
  <message>
   <source>Play</source>
   <translation>Abspielen</translation>
  </message>
  <message>
   <source>Speed</source>
   <translation>Tempo</translation>
  </message>
  <message>
   <source>%1 steps/s</source>
   <translation>%1 Schritte/s</translation>
  </message>
  <message>
   <source>As a grid</source>
   <translation>Als Raster</translation>
  </message>
  <message>
   <source>One step back</source>
   <translation>Einen Schritt zurück</translation>
  </message>
  <message>
   <source>One step on</source>
   <translation>Einen Schritt weiter</translation>
  </message>
  <message>
   <source>Copy the text at this step</source>
   <translation>Text bei diesem Schritt kopieren</translation>
  </message>
  <message>
   <source>Back to the text</source>
   <translation>Zurück zum Text</translation>
  </message>
  <message>
   <source>block %1</source>
   <translation>Block %1</translation>
  </message>
  <message>
   <source>step %1 of %2</source>
   <translation>Schritt %1 von %2</translation>
  </message>
  <message>
   <source>%1 % settled</source>
   <translation>%1 % geklärt</translation>
  </message>
  <message>
   <source>Pause</source>
   <translation>Pause</translation>
  </message>
  <message>
   <source>Space</source>
   <translation>Leertaste</translation>
  </message>
  <message>
   <source>What the model really held: noise</source>
   <translation>Was das Modell wirklich hielt: Rauschen</translation>
  </message>
  <message>
   <source>No noise was kept in this recording</source>
   <translation>In dieser Aufzeichnung ist kein Rauschen erhalten</translation>
  </message>
  <message>
   <source>no noise was kept</source>
   <translation>kein Rauschen erhalten</translation>
  </message>
 </context>
 <context>
  <name>RewriteBar</name>
  <message>
   <source>Rewrite …</source>
   <translation>Neu schreiben …</translation>
  </message>
  <message>
   <source>Rewrite selection</source>
   <translation>Auswahl neu schreiben</translation>
  </message>
  <message>
   <source>Begin with these words (optional)</source>
   <translation>Mit diesen Wörtern beginnen (optional)</translation>
  </message>
  <message>
   <source>Words that the new text begins with, optional</source>
   <translation>Wörter, mit denen der neue Text beginnt, optional</translation>
  </message>
  <message>
   <source>Rewrite</source>
   <translation>Neu schreiben</translation>
  </message>
  <message>
   <source>The model writes the selection anew; all else is pinned</source>
   <translation>Das Modell schreibt die Auswahl neu, alles andere bleibt stehen</translation>
  </message>
  <message>
   <source>Close</source>
   <translation>Schließen</translation>
  </message>
 </context>
 <context>
  <name>Rewriter</name>
  <message>
   <source>Select words of an answer to rewrite them.</source>
   <translation>Wähle Wörter einer Antwort aus, um sie neu zu schreiben.</translation>
  </message>
  <message>
   <source>These words cannot be found in the answer's own text; select others.</source>
   <translation>Diese Wörter lassen sich im Text der Antwort nicht finden; wähle andere aus.</translation>
  </message>
  <message>
   <source>Rewrite selection …</source>
   <translation>Auswahl neu schreiben …</translation>
  </message>
  <message>
   <source>Rewriting the selection</source>
   <translation>Die Auswahl wird neu geschrieben</translation>
  </message>
  <message>
   <source>Rewritten; the earlier version is kept</source>
   <translation>Neu geschrieben; die frühere Fassung bleibt</translation>
  </message>
  <message>
   <source>The model wrote the same words again, so nothing was changed; give it words to begin with, or select more.</source>
   <translation>Das Modell hat dieselben Wörter noch einmal geschrieben, also hat sich nichts geändert; gib ihm Wörter vor oder wähle mehr aus.</translation>
  </message>
 </context>
 <context>
  <name>Rewriting</name>
  <message>
   <source>The recording of this answer is gone, and with it which tokens the words are; try the answer again to have a new one.</source>
   <translation>Die Aufzeichnung dieser Antwort fehlt, und mit ihr, welche Token die Wörter sind; lass die Antwort noch einmal schreiben.</translation>
  </message>
  <message>
   <source>This part was written together with a thought, which cannot be held still; try the whole answer again.</source>
   <translation>Dieser Teil entstand zusammen mit einem Gedanken, der sich nicht festhalten lässt; lass die ganze Antwort noch einmal schreiben.</translation>
  </message>
  <message>
   <source>These words cannot be found among the tokens of the answer; try the whole answer again.</source>
   <translation>Diese Wörter lassen sich unter den Token der Antwort nicht finden; lass die ganze Antwort noch einmal schreiben.</translation>
  </message>
  <message>
   <source>No model is loaded that could rewrite this; load one.</source>
   <translation>Kein Modell ist geladen, das dies neu schreiben könnte; lade eines.</translation>
  </message>
  <message>
   <source>Something else is being written; wait until it is done.</source>
   <translation>Es wird gerade etwas anderes geschrieben; warte, bis es fertig ist.</translation>
  </message>
  <message>
   <source>This answer is of another model, {model}; load that one to rewrite it.</source>
   <translation>Diese Antwort ist von einem anderen Modell, {model}; lade dieses, um sie neu zu schreiben.</translation>
  </message>
  <message>
   <source>Select words of an answer to rewrite them.</source>
   <translation>Wähle Wörter einer Antwort aus, um sie neu zu schreiben.</translation>
  </message>
  <message>
   <source>The tokens of this answer are not those of the model that is loaded; load the model that wrote it.</source>
   <translation>Die Token dieser Antwort sind nicht die des geladenen Modells; lade das Modell, das sie geschrieben hat.</translation>
  </message>
  <message>
   <source>No tokens are kept of this answer, because it was edited or imported; try the answer again to have a new one.</source>
   <translation>Von dieser Antwort sind keine Token aufbewahrt, weil sie bearbeitet oder importiert wurde; lass die Antwort noch einmal schreiben.</translation>
  </message>
  <message>
   <source>The model ended the answer within the selection, so nothing was changed; try once more or select more.</source>
   <translation>Das Modell hat die Antwort innerhalb der Auswahl beendet, also hat sich nichts geändert; versuch es noch einmal oder wähle mehr aus.</translation>
  </message>
  <message>
   <source>The model wrote nothing there, so nothing was changed; try once more.</source>
   <translation>Das Modell hat dort nichts geschrieben, also hat sich nichts geändert; versuch es noch einmal.</translation>
  </message>
 </context>
 <context>
  <name>RewritingView</name>
  <message>
   <source>The answer; the selection is being rewritten</source>
   <translation>Die Antwort; die Auswahl wird neu geschrieben</translation>
  </message>
  <message>
   <source>Stop; the answer stays as it was</source>
   <translation>Anhalten; die Antwort bleibt, wie sie war</translation>
  </message>
  <message numerus="yes">
   <source>Rewriting %n token(s)</source>
   <translation>
    <numerusform>%n Token wird neu geschrieben</numerusform>
    <numerusform>%n Token werden neu geschrieben</numerusform>
   </translation>
  </message>
  <message>
   <source>part %1 of %2</source>
   <translation>Teil %1 von %2</translation>
  </message>
  <message>
   <source>step %1</source>
   <translation>Schritt %1</translation>
  </message>
 </context>
 <context>
  <name>Screen</name>
  <message>
   <source>Continue</source>
   <translation>Fortsetzen</translation>
  </message>
 </context>
 <context>
  <name>Scrubber</name>
  <message>
   <source>Step of the recording</source>
   <translation>Schritt der Aufzeichnung</translation>
  </message>
 </context>
 <context>
  <name>SelfTest</name>
  <message>
   <source>The engine is not running.</source>
   <translation>Die Engine läuft nicht.</translation>
  </message>
  <message>
   <source>Start it again.</source>
   <translation>Starte sie neu.</translation>
  </message>
  <message>
   <source>The test was interrupted.</source>
   <translation>Die Prüfung wurde unterbrochen.</translation>
  </message>
  <message>
   <source>Test again.</source>
   <translation>Prüfe noch einmal.</translation>
  </message>
  <message>
   <source>The engine was closed during the test.</source>
   <translation>Die Engine wurde während der Prüfung beendet.</translation>
  </message>
  <message>
   <source>the CPU ({name})</source>
   <translation>der CPU ({name})</translation>
  </message>
  <message>
   <source>The model computes wrongly on {device}: what it predicts is not a number.</source>
   <translation>Das Modell rechnet auf {device} falsch: Was es vorhersagt, ist keine Zahl.</translation>
  </message>
  <message>
   <source>Update its driver, or let the model compute on the CPU (Settings).</source>
   <translation>Erneuere den Treiber, oder lass das Modell auf der CPU rechnen (Einstellungen).</translation>
  </message>
  <message>
   <source>It works: {time} per step on {device}.</source>
   <translation>Es läuft: {time} je Schritt auf {device}.</translation>
  </message>
  <message>
   <source>It works: {time} per step on {device}; about {predicted} was predicted.</source>
   <translation>Es läuft: {time} je Schritt auf {device}; vorhergesagt waren etwa {predicted}.</translation>
  </message>
  <message>
   <source>It works: {time} per step on {device}; a trial step at loading took {predicted}.</source>
   <translation>Es läuft: {time} je Schritt auf {device}; ein Probeschritt beim Laden brauchte {predicted}.</translation>
  </message>
  <message>
   <source>That is slow: other programs may be using the processor, or it saves power.</source>
   <translation>Das ist langsam: Vielleicht nutzen andere Programme den Prozessor, oder er spart Strom.</translation>
  </message>
  <message>
   <source>That is slow: other programs may be using the card, or it saves power.</source>
   <translation>Das ist langsam: Vielleicht nutzen andere Programme die Karte, oder sie spart Strom.</translation>
  </message>
  <message>
   <source>{time} ms</source>
   <translation>{time} ms</translation>
  </message>
  <message>
   <source>{time} s</source>
   <translation>{time} s</translation>
  </message>
 </context>
 <context>
  <name>SelfTestView</name>
  <message>
   <source>Load the model</source>
   <translation>Das Modell laden</translation>
  </message>
  <message>
   <source>Read a prompt</source>
   <translation>Eine Frage lesen</translation>
  </message>
  <message>
   <source>Take three denoise steps</source>
   <translation>Drei Schritte verfeinern</translation>
  </message>
  <message>
   <source>Waiting for the answer that is being written …</source>
   <translation>Wartet auf die Antwort, die geschrieben wird …</translation>
  </message>
  <message>
   <source>Testing …</source>
   <translation>Wird geprüft …</translation>
  </message>
  <message>
   <source>Not tested yet.</source>
   <translation>Noch nicht geprüft.</translation>
  </message>
  <message>
   <source>%1 %</source>
   <translation>%1 %</translation>
  </message>
  <message numerus="yes">
   <source>%n token(s)</source>
   <translation>
    <numerusform>%n Token</numerusform>
    <numerusform>%n Token</numerusform>
   </translation>
  </message>
  <message>
   <source>%1 per step</source>
   <translation>%1 je Schritt</translation>
  </message>
  <message>
   <source>%1 of %2</source>
   <translation>%1 von %2</translation>
  </message>
 </context>
 <context>
  <name>SettingsDialog</name>
  <message>
   <source>Settings</source>
   <translation>Einstellungen</translation>
  </message>
  <message>
   <source>Pages</source>
   <translation>Seiten</translation>
  </message>
  <message>
   <source>Appearance</source>
   <translation>Aussehen</translation>
  </message>
  <message>
   <source>Answers</source>
   <translation>Antworten</translation>
  </message>
  <message>
   <source>Window and engine</source>
   <translation>Fenster und Rechenwerk</translation>
  </message>
  <message>
   <source>Storage</source>
   <translation>Speicher</translation>
  </message>
  <message>
   <source>Keys</source>
   <translation>Tasten</translation>
  </message>
  <message>
   <source>About</source>
   <translation>Über Sfumato</translation>
  </message>
  <message>
   <source>Downloads</source>
   <translation>Downloads</translation>
  </message>
 </context>
 <context>
  <name>SettledView</name>
  <message>
   <source>The answer, tinted by how settled each token is</source>
   <translation>Die Antwort, getönt danach, wie geklärt jedes Token ist</translation>
  </message>
  <message>
   <source>Back to the text</source>
   <translation>Zurück zum Text</translation>
  </message>
  <message>
   <source>settled</source>
   <translation>geklärt</translation>
  </message>
  <message>
   <source>hesitated</source>
   <translation>gezögert</translation>
  </message>
  <message>
   <source>It says how sure the model was, not whether it is right.</source>
   <translation>Es sagt, wie sicher das Modell war, nicht, ob es stimmt.</translation>
  </message>
  <message>
   <source>Settled at step %1 of %2</source>
   <translation>Geklärt bei Schritt %1 von %2</translation>
  </message>
  <message numerus="yes">
   <source>%n change(s) of mind</source>
   <translation>
    <numerusform>%n Sinneswandel</numerusform>
    <numerusform>%n Sinneswandel</numerusform>
   </translation>
  </message>
  <message>
   <source>The arrow keys go from token to token and tell how each settled.</source>
   <translation>Die Pfeiltasten gehen von Token zu Token und sagen, wie jedes sich geklärt hat.</translation>
  </message>
 </context>
 <context>
  <name>ShortcutsPage</name>
  <message>
   <source>Keys</source>
   <translation>Tasten</translation>
  </message>
  <message>
   <source>New chat</source>
   <translation>Neues Gespräch</translation>
  </message>
  <message>
   <source>Search in all chats</source>
   <translation>In allen Gesprächen suchen</translation>
  </message>
  <message>
   <source>Show or hide the chats</source>
   <translation>Gespräche zeigen oder verbergen</translation>
  </message>
  <message>
   <source>To the message box</source>
   <translation>Zum Nachrichtenfeld</translation>
  </message>
  <message>
   <source>Send</source>
   <translation>Senden</translation>
  </message>
  <message>
   <source>New line</source>
   <translation>Neue Zeile</translation>
  </message>
  <message>
   <source>Stop the answer; close what is open</source>
   <translation>Antwort anhalten; Offenes schließen</translation>
  </message>
  <message>
   <source>Previous or next message</source>
   <translation>Vorige oder nächste Nachricht</translation>
  </message>
  <message>
   <source>Copy the conversation</source>
   <translation>Das Gespräch kopieren</translation>
  </message>
  <message>
   <source>Canvas as text or as a grid</source>
   <translation>Leinwand als Text oder Raster</translation>
  </message>
  <message>
   <source>Larger, smaller, normal size</source>
   <translation>Größer, kleiner, Normalgröße</translation>
  </message>
  <message>
   <source>Settings</source>
   <translation>Einstellungen</translation>
  </message>
  <message>
   <source>Play or pause a recording</source>
   <translation>Aufzeichnung abspielen oder anhalten</translation>
  </message>
  <message>
   <source>One step back or on in a recording</source>
   <translation>In einer Aufzeichnung einen Schritt zurück oder weiter</translation>
  </message>
  <message>
   <source>Quit</source>
   <translation>Beenden</translation>
  </message>
  <message>
   <source>Rename the chat or folder (in the list)</source>
   <translation>Gespräch oder Ordner umbenennen (in der Liste)</translation>
  </message>
  <message>
   <source>Collapse or open a folder (in the list)</source>
   <translation>Ordner zu- oder aufklappen (in der Liste)</translation>
  </message>
  <message>
   <source>Rewrite the selected words of an answer</source>
   <translation>Ausgewählte Wörter einer Antwort neu schreiben</translation>
  </message>
 </context>
 <context>
  <name>StatusLine</name>
  <message>
   <source>Show the canvas as a grid</source>
   <translation>Die Leinwand als Raster zeigen</translation>
  </message>
  <message>
   <source>Show what the model really holds: noise</source>
   <translation>Zeigen, was das Modell wirklich hält: Rauschen</translation>
  </message>
  <message>
   <source>block %1</source>
   <translation>Block %1</translation>
  </message>
  <message>
   <source>step %1 of %2</source>
   <translation>Schritt %1 von %2</translation>
  </message>
  <message>
   <source>%1 % settled</source>
   <translation>%1 % geklärt</translation>
  </message>
  <message>
   <source>%1 tokens/s</source>
   <translation>%1 Token/s</translation>
  </message>
  <message numerus="yes">
   <source>%n block(s)</source>
   <translation>
    <numerusform>%n Block</numerusform>
    <numerusform>%n Blöcke</numerusform>
   </translation>
  </message>
  <message numerus="yes">
   <source>%n step(s)</source>
   <translation>
    <numerusform>%n Schritt</numerusform>
    <numerusform>%n Schritte</numerusform>
   </translation>
  </message>
  <message numerus="yes">
   <source>%n token(s)</source>
   <translation>
    <numerusform>%n Token</numerusform>
    <numerusform>%n Token</numerusform>
   </translation>
  </message>
  <message>
   <source>%1 s</source>
   <translation>%1 s</translation>
  </message>
 </context>
 <context>
  <name>StoragePage</name>
  <message>
   <source>Storage</source>
   <translation>Speicher</translation>
  </message>
  <message>
   <source>Chats are on this computer only, in the folder below, with daily backups beside them. What is deleted can be restored for 30 days.</source>
   <translation>Gespräche liegen nur auf diesem Rechner, im Ordner unten, mit täglichen Sicherungen daneben. Gelöschtes lässt sich 30 Tage lang zurückholen.</translation>
  </message>
  <message>
   <source>Recordings</source>
   <translation>Aufzeichnungen</translation>
  </message>
  <message>
   <source>Keep how answers came about</source>
   <translation>Aufheben, wie Antworten entstanden</translation>
  </message>
  <message>
   <source>For Watch again and How settled; 5 to 70 KB a block.</source>
   <translation>Für „Noch einmal ansehen“ und „Wie geklärt“; 5 bis 70 KB je Block.</translation>
  </message>
  <message>
   <source>At most</source>
   <translation>Höchstens</translation>
  </message>
  <message>
   <source>The oldest go first.</source>
   <translation>Die ältesten gehen zuerst.</translation>
  </message>
  <message>
   <source>Delete all recordings…</source>
   <translation>Alle Aufzeichnungen löschen …</translation>
  </message>
  <message>
   <source>In use</source>
   <translation>Belegt</translation>
  </message>
  <message numerus="yes">
   <source>%n block(s)</source>
   <translation>
    <numerusform>%n Block</numerusform>
    <numerusform>%n Blöcke</numerusform>
   </translation>
  </message>
  <message>
   <source>Delete all recordings? The answers themselves stay.</source>
   <translation>Alle Aufzeichnungen löschen? Die Antworten selbst bleiben.</translation>
  </message>
  <message>
   <source>Delete</source>
   <translation>Löschen</translation>
  </message>
  <message>
   <source>Cancel</source>
   <translation>Abbrechen</translation>
  </message>
  <message>
   <source>Open the folder</source>
   <translation>Ordner öffnen</translation>
  </message>
  <message>
   <source>Recently deleted</source>
   <translation>Kürzlich gelöscht</translation>
  </message>
  <message>
   <source>Restore</source>
   <translation>Wiederherstellen</translation>
  </message>
  <message>
   <source>Delete for good…</source>
   <translation>Endgültig löschen …</translation>
  </message>
  <message>
   <source>Nothing was deleted in the last 30 days.</source>
   <translation>In den letzten 30 Tagen wurde nichts gelöscht.</translation>
  </message>
  <message>
   <source>New chat</source>
   <translation>Neues Gespräch</translation>
  </message>
  <message>
   <source>Delete this chat for good? It cannot be brought back.</source>
   <translation>Dieses Gespräch endgültig löschen? Es lässt sich nicht zurückholen.</translation>
  </message>
 </context>
 <context>
  <name>Store</name>
  <message>
   <source>The chats could not be backed up to {folder} ({reason}); the older backups are untouched.</source>
   <translation>Die Gespräche ließen sich nicht nach {folder} sichern ({reason}); die älteren Sicherungen sind unberührt.</translation>
  </message>
  <message>
   <source>A copy of the chats at {path} is damaged ({problem}); the older backups are kept.</source>
   <translation>Eine Kopie der Gespräche unter {path} ist beschädigt ({problem}); die älteren Sicherungen bleiben.</translation>
  </message>
  <message>
   <source>Chat {chat_id} does not exist any more; choose another in the list.</source>
   <translation>Das Gespräch {chat_id} gibt es nicht mehr; wählen Sie ein anderes aus der Liste.</translation>
  </message>
  <message>
   <source>Only a deleted chat can be removed for good; delete it first.</source>
   <translation>Nur ein gelöschtes Gespräch lässt sich endgültig entfernen; löschen Sie es zuerst.</translation>
  </message>
  <message>
   <source>The folder name {folder}… is too long for the chat database ({length} bytes, at most {most}); choose a shorter one.</source>
   <translation>Der Ordnername {folder}… ist zu lang für die Datenbank der Gespräche ({length} Bytes, höchstens {most}); wählen Sie einen kürzeren.</translation>
  </message>
  <message>
   <source>The disk that holds {path} is full: nothing was lost, but the last text is only in memory; free some space and try again, or save it elsewhere.</source>
   <translation>Die Platte mit {path} ist voll: nichts ist verloren, doch der letzte Text ist nur im Speicher; schaffen Sie Platz und versuchen Sie es noch einmal, oder sichern Sie ihn anderswo.</translation>
  </message>
  <message>
   <source>{path} is write-protected, so the last text is only in memory; change its permissions and try again, or save it elsewhere.</source>
   <translation>{path} ist schreibgeschützt, der letzte Text ist daher nur im Speicher; ändern Sie die Rechte und versuchen Sie es noch einmal, oder sichern Sie ihn anderswo.</translation>
  </message>
  <message>
   <source>The disk that holds {path} failed ({error}), so the last text is only in memory; try again, or save it elsewhere.</source>
   <translation>Die Platte mit {path} hat versagt ({error}), der letzte Text ist daher nur im Speicher; versuchen Sie es noch einmal, oder sichern Sie ihn anderswo.</translation>
  </message>
  <message>
   <source>{path} is damaged ({error}); restart Sfumato to repair it, the file is kept.</source>
   <translation>{path} ist beschädigt ({error}); starten Sie Sfumato neu, um sie zu reparieren, die Datei bleibt erhalten.</translation>
  </message>
  <message>
   <source>Another program has locked {path}; close it and try again, or save elsewhere.</source>
   <translation>Ein anderes Programm hat {path} gesperrt; schließen Sie es und versuchen Sie es noch einmal, oder sichern Sie anderswo.</translation>
  </message>
  <message>
   <source>The file lists a chat that is not one; nothing was imported.</source>
   <translation>Die Datei führt ein Gespräch auf, das keines ist; nichts wurde importiert.</translation>
  </message>
  <message>
   <source>The file has a chat without a list of messages; nothing was imported.</source>
   <translation>In der Datei ist ein Gespräch ohne Nachrichtenliste; nichts wurde importiert.</translation>
  </message>
  <message>
   <source>The file has more than {most} messages; export it in parts.</source>
   <translation>Die Datei hat mehr als {most} Nachrichten; exportieren Sie sie in Teilen.</translation>
  </message>
  <message>
   <source>The file has {size} MB, an import takes at most {most}; export it in parts.</source>
   <translation>Die Datei hat {size} MB, ein Import nimmt höchstens {most}; exportieren Sie sie in Teilen.</translation>
  </message>
  <message>
   <source>The file is no JSON ({error}); choose one that Sfumato exported.</source>
   <translation>Die Datei ist kein JSON ({error}); wählen Sie eine, die Sfumato exportiert hat.</translation>
  </message>
  <message>
   <source>The file holds no chats of Sfumato; choose one that it exported.</source>
   <translation>Die Datei enthält keine Gespräche von Sfumato; wählen Sie eine, die es exportiert hat.</translation>
  </message>
  <message>
   <source>The file was exported by a newer Sfumato; update, then import it.</source>
   <translation>Die Datei stammt von einem neueren Sfumato; aktualisieren Sie, dann importieren Sie sie.</translation>
  </message>
  <message>
   <source>Message {message_id} does not exist any more; open the chat again.</source>
   <translation>Die Nachricht {message_id} gibt es nicht mehr; öffnen Sie das Gespräch neu.</translation>
  </message>
  <message>
   <source>Block {position} of message {message_id} cannot be stored before block {stored}; try the answer again.</source>
   <translation>Block {position} der Nachricht {message_id} lässt sich nicht vor Block {stored} speichern; versuchen Sie die Antwort noch einmal.</translation>
  </message>
  <message>
   <source>Message {parent_id} belongs to another chat; open the chat again.</source>
   <translation>Die Nachricht {parent_id} gehört zu einem anderen Gespräch; öffnen Sie das Gespräch neu.</translation>
  </message>
  <message>
   <source>Row {row_id} of {table} does not exist any more; open the chat again.</source>
   <translation>Zeile {row_id} von {table} gibt es nicht mehr; öffnen Sie das Gespräch neu.</translation>
  </message>
  <message>
   <source>The preset {name} does not exist any more; save it as a new one.</source>
   <translation>Die Vorlage {name} gibt es nicht mehr; sichern Sie sie als neue.</translation>
  </message>
  <message>
   <source>Another Sfumato is using the chats in {folder}; go to its window, or close it first.</source>
   <translation>Ein anderes Sfumato nutzt die Gespräche in {folder}; gehen Sie zu dessen Fenster, oder schließen Sie es zuerst.</translation>
  </message>
  <message>
   <source>The recording of a block with {steps} steps is too large to be kept; the answer itself is stored.</source>
   <translation>Die Aufzeichnung eines Blocks mit {steps} Schritten ist zu groß, um sie zu behalten; die Antwort selbst ist gespeichert.</translation>
  </message>
  <message>
   <source>This recording is damaged and cannot be shown; the answer is unharmed.</source>
   <translation>Diese Aufzeichnung ist beschädigt und lässt sich nicht zeigen; die Antwort ist unversehrt.</translation>
  </message>
  <message>
   <source>This recording was made by a newer Sfumato; update to watch it.</source>
   <translation>Diese Aufzeichnung stammt von einem neueren Sfumato; aktualisieren Sie, um sie anzusehen.</translation>
  </message>
  <message>
   <source>This recording is damaged and cannot be shown ({error}); the answer is unharmed.</source>
   <translation>Diese Aufzeichnung ist beschädigt und lässt sich nicht zeigen ({error}); die Antwort ist unversehrt.</translation>
  </message>
  <message>
   <source>{path} is damaged ({problem}) and was made by a newer Sfumato ({version}); start the newer version to repair it.</source>
   <translation>{path} ist beschädigt ({problem}) und stammt von einem neueren Sfumato ({version}); starten Sie die neuere Version, um sie zu reparieren.</translation>
  </message>
  <message>
   <source>{path} is damaged ({problem}) and so is its repaired copy ({fault}); check the disk, the damaged file is untouched.</source>
   <translation>{path} ist beschädigt ({problem}) und die reparierte Kopie ebenfalls ({fault}); prüfen Sie die Platte, die beschädigte Datei ist unberührt.</translation>
  </message>
  <message>
   <source>{path} is damaged ({problem}) and could not be repaired ({error}); the damaged file is untouched, check the disk and its free space, then start again.</source>
   <translation>{path} ist beschädigt ({problem}) und ließ sich nicht reparieren ({error}); die beschädigte Datei ist unberührt, prüfen Sie die Platte und ihren freien Platz, dann starten Sie neu.</translation>
  </message>
  <message>
   <source>The chats in {folder} could not be opened ({error}); check the folder's permissions and its disk.</source>
   <translation>Die Gespräche in {folder} ließen sich nicht öffnen ({error}); prüfen Sie die Rechte des Ordners und seine Platte.</translation>
  </message>
  <message>
   <source>The folder {folder} for the chats cannot be written ({reason}); check its permissions.</source>
   <translation>In den Ordner {folder} für die Gespräche lässt sich nicht schreiben ({reason}); prüfen Sie seine Rechte.</translation>
  </message>
  <message>
   <source>The folder {folder} is write-protected ({reason}): chats can be read, but nothing is saved; check its permissions and start again.</source>
   <translation>Der Ordner {folder} ist schreibgeschützt ({reason}): Gespräche lassen sich lesen, doch nichts wird gespeichert; prüfen Sie seine Rechte und starten Sie neu.</translation>
  </message>
  <message>
   <source>{path} cannot be written ({error}): chats can be read, but nothing is saved; check permissions and free space, then start again.</source>
   <translation>{path} lässt sich nicht schreiben ({error}): Gespräche lassen sich lesen, doch nichts wird gespeichert; prüfen Sie Rechte und freien Platz, dann starten Sie neu.</translation>
  </message>
  <message>
   <source>{path} was made by a newer Sfumato ({version}): chats can be read, but nothing is saved; install the newer version to go on.</source>
   <translation>{path} stammt von einem neueren Sfumato ({version}): Gespräche lassen sich lesen, doch nichts wird gespeichert; installieren Sie die neuere Version, um weiterzuarbeiten.</translation>
  </message>
  <message>
   <source>{path} is of an older version and could not be brought to this one ({error}); nothing was changed, free some space and start again.</source>
   <translation>{path} ist von einer älteren Version und ließ sich nicht auf diese bringen ({error}); nichts wurde geändert, schaffen Sie Platz und starten Sie neu.</translation>
  </message>
  <message>
   <source>{path} is of an older version and could not be brought to this one, nothing was changed. {reason}.</source>
   <translation>{path} ist von einer älteren Version und ließ sich nicht auf diese bringen, nichts wurde geändert. {reason}.</translation>
  </message>
  <message>
   <source>{path} is closed.</source>
   <translation>{path} ist geschlossen.</translation>
  </message>
  <message>
   <source>The chats could not be saved to {path} ({reason}); choose another place.</source>
   <translation>Die Gespräche ließen sich nicht nach {path} sichern ({reason}); wählen Sie einen anderen Ort.</translation>
  </message>
  <message>
   <source>The damaged file is kept at {path}.</source>
   <translation>Die beschädigte Datei liegt unter {path}.</translation>
  </message>
  <message>
   <source>The recordings of past answers were damaged ({problem}) and have been set aside; the answers themselves are untouched.</source>
   <translation>Die Aufzeichnungen früherer Antworten waren beschädigt ({problem}) und wurden beiseitegelegt; die Antworten selbst sind unberührt.</translation>
  </message>
  <message>
   <source>The chat database was damaged ({problem}) and has been repaired.</source>
   <translation>Die Datenbank der Gespräche war beschädigt ({problem}) und wurde repariert.</translation>
  </message>
  <message>
   <source>It was restored from the backup {backup}.</source>
   <translation>Sie wurde aus der Sicherung {backup} wiederhergestellt.</translation>
  </message>
  <message>
   <source>It now holds {chats} chats with {messages} messages; {salvaged} messages were read from the damaged file.</source>
   <translation>Sie enthält nun {chats} Gespräche mit {messages} Nachrichten; {salvaged} Nachrichten wurden aus der beschädigten Datei gelesen.</translation>
  </message>
 </context>
 <context>
  <name>Summary</name>
  <message>
   <source>There are no earlier messages to sum up; shorten the last one instead.</source>
   <translation>Es gibt keine früheren Nachrichten zusammenzufassen; kürze stattdessen die letzte.</translation>
  </message>
  <message>
   <source>A context of {count} tokens is too small to sum anything up; load the model with a longer one.</source>
   <translation>Ein Kontext von {count} Token ist zu klein für eine Zusammenfassung; lade das Modell mit einem längeren.</translation>
  </message>
  <message>
   <source>The model gave no summary; try again, or leave out the oldest messages.</source>
   <translation>Das Modell gab keine Zusammenfassung; versuche es noch einmal oder lass die ältesten Nachrichten weg.</translation>
  </message>
 </context>
 <context>
  <name>TestScreen</name>
  <message>
   <source>Why is my GPU not used?</source>
   <translation>Warum rechnet meine GPU nicht?</translation>
  </message>
  <message>
   <source>Test again</source>
   <translation>Noch einmal prüfen</translation>
  </message>
  <message>
   <source>Start chatting</source>
   <translation>Gespräch beginnen</translation>
  </message>
  <message>
   <source>A test on this computer</source>
   <translation>Eine Prüfung auf diesem Rechner</translation>
  </message>
  <message>
   <source>Ready</source>
   <translation>Bereit</translation>
  </message>
  <message>
   <source>The test failed</source>
   <translation>Die Prüfung ist gescheitert</translation>
  </message>
  <message>
   <source>A few real steps show that the model computes, where, and how fast.</source>
   <translation>Ein paar echte Schritte zeigen, dass das Modell rechnet, wo und wie schnell.</translation>
  </message>
  <message>
   <source>Cancel loading</source>
   <translation>Laden abbrechen</translation>
  </message>
 </context>
 <context>
  <name>TopBar</name>
  <message>
   <source>Show or hide the chats</source>
   <translation>Gespräche zeigen oder verbergen</translation>
  </message>
  <message>
   <source>Why is my GPU used or not?</source>
   <translation>Warum rechnet meine GPU, oder warum nicht?</translation>
  </message>
  <message>
   <source>Cancel loading</source>
   <translation>Laden abbrechen</translation>
  </message>
 </context>
 <context>
  <name>Tray</name>
  <message>
   <source>Show Sfumato</source>
   <translation>Sfumato zeigen</translation>
  </message>
  <message>
   <source>New chat</source>
   <translation>Neues Gespräch</translation>
  </message>
  <message>
   <source>Quit</source>
   <translation>Beenden</translation>
  </message>
 </context>
 <context>
  <name>Welcome</name>
  <message>
   <source>Get DiffusionGemma…</source>
   <translation>DiffusionGemma holen …</translation>
  </message>
  <message>
   <source>Ask, and watch the answer come into focus.</source>
   <translation>Frag, und sieh die Antwort scharf werden.</translation>
  </message>
  <message>
   <source>Built-in guide · a small demonstration, not DiffusionGemma. It knows Sfumato and text diffusion, and little else.</source>
   <translation>Eingebauter Begleiter · eine kleine Vorführung, nicht DiffusionGemma. Er spricht Englisch und kennt Sfumato und Textdiffusion, sonst wenig.</translation>
  </message>
  <message>
   <source>Explain why the sky is blue, in three sentences.</source>
   <translation>Erkläre in drei Sätzen, warum der Himmel blau ist.</translation>
  </message>
  <message>
   <source>Write a Python function that merges two sorted lists.</source>
   <translation>Schreibe eine Python-Funktion, die zwei sortierte Listen zusammenführt.</translation>
  </message>
  <message>
   <source>Suggest a plan for learning to draw portraits in four weeks.</source>
   <translation>Schlage einen Plan vor, in vier Wochen Porträts zeichnen zu lernen.</translation>
  </message>
 </context>
 <context>
  <name>_Delegate</name>
  <message>
   <source>Name of the chat</source>
   <translation>Name des Gesprächs</translation>
  </message>
  <message>
   <source>Name of the folder</source>
   <translation>Name des Ordners</translation>
  </message>
 </context>
 <context>
  <name>_Progress</name>
  <message>
   <source>Step %1 of %2</source>
   <translation>Schritt %1 von %2</translation>
  </message>
 </context>
</TS>
